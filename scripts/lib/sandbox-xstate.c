// A library that scripts/sandbox preloads into User-Mode Linux on processors with AMX.
//
// Linux accepts the vector registers of another process (PTRACE_SETREGSET with NT_X86_XSTATE) only as an area of the size that
// the processor needs for all of them. The kernels of the sandbox have a fixed area of about 2.7 kB. AMX needs 11 kB, so that
// the call fails with EFAULT, and the kernel panics when it starts its first process. Here the area is padded with zeros: the
// state of registers that no program in the sandbox has used.
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <linux/ptrace.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { wordOfPresentStates = 512 / sizeof(uint64_t), largestArea = 1 << 16 };

// One is enough: the kernel calls ptrace from one thread. Behind the caller's bytes it stays zero.
static uint64_t area[largestArea / sizeof(uint64_t)];

// The size of the whole area on this processor; asked for once.
static size_t sizeOfArea(void) {
    static size_t size;
    if (size == 0) {
        unsigned int needed = 0, largest = 0, unused;
        __cpuid_count(0xd, 0, unused, needed, largest, unused);
        size = needed;
    }
    return size;
}

// The states that lie within the first `length` bytes, as bits of the area's word of present states.
static uint64_t statesWithin(size_t length) {
    static uint64_t states;
    static size_t lengthOfStates;
    if (lengthOfStates != length) {
        states = 3; // x87 and SSE are at the area's beginning, in front of the header.
        for (unsigned int state = 2; state < 63; state++) {
            unsigned int size = 0, offset = 0, unused, flags;
            __cpuid_count(0xd, state, size, offset, flags, unused);
            if (size != 0 && (size_t)offset + size <= length) states |= (uint64_t)1 << state;
        }
        lengthOfStates = length;
    }
    return states;
}

long ptrace(int request, pid_t process, void *address, void *data) {
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSR) {
        // The system call stores the word; the C library's function returns it.
        long word = 0;
        if (syscall(SYS_ptrace, request, process, address, &word) < 0) return -1;
        errno = 0;
        return word;
    }
    if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE) {
        struct iovec *given = data;
        size_t size = sizeOfArea();
        if (given->iov_len < size && given->iov_len > (wordOfPresentStates + 1) * sizeof(uint64_t) && size <= sizeof area) {
            memcpy(area, given->iov_base, given->iov_len);
            area[wordOfPresentStates] &= statesWithin(given->iov_len);
            struct iovec padded = {area, size};
            return syscall(SYS_ptrace, request, process, address, &padded);
        }
    }
    return syscall(SYS_ptrace, request, process, address, data);
}
