#include "crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

int dmshim_crc32c_supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") ? 1 : 0;
}

__attribute__((target("sse4.2"))) uint32_t dmshim_crc32c(uint32_t checksum, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t value = checksum;
    for (; count >= 8; at += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        value = _mm_crc32_u64(value, word);
    }
    for (; count > 0; at++, count--)
        value = _mm_crc32_u8((uint32_t)value, *at);
    return (uint32_t)value;
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

int dmshim_crc32c_supported(void)
{
    // HWCAP_CRC32
    return getauxval(AT_HWCAP) & (1 << 7) ? 1 : 0;
}

__attribute__((target("crc"))) uint32_t dmshim_crc32c(uint32_t checksum, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (; count >= 8; at += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        checksum = __builtin_arm_crc32cd(checksum, word);
    }
    for (; count > 0; at++, count--)
        checksum = __builtin_arm_crc32cb(checksum, *at);
    return checksum;
}

#else

int dmshim_crc32c_supported(void)
{
    return 0;
}

uint32_t dmshim_crc32c(uint32_t checksum, const void *bytes, size_t count)
{
    (void)bytes;
    (void)count;
    return checksum;
}
#endif
