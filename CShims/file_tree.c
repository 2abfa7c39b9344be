#define _GNU_SOURCE
#include "file_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

const uint64_t dmshim_O_PATH = O_PATH;
const uint64_t dmshim_O_NOATIME = O_NOATIME;
const int dmshim_SEEK_DATA = SEEK_DATA;
const int dmshim_SEEK_HOLE = SEEK_HOLE;
const int dmshim_AT_EMPTY_PATH = AT_EMPTY_PATH;

// glibc's statx(3) would do, but its <sys/stat.h> may not be read together with <linux/stat.h>.
int dmshim_statx(int directory, const char *name, int flags, unsigned int mask, struct statx *status)
{
    return syscall(SYS_statx, directory, name, flags, mask, status) == 0 ? 0 : errno;
}

int dmshim_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve, int *descriptor)
{
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    do {
        *descriptor = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    } while (*descriptor == -1 && errno == EINTR);
    return *descriptor == -1 ? errno : 0;
}

int dmshim_getdents64(int directory, void *entries, size_t size, size_t *count)
{
    long bytes = syscall(SYS_getdents64, directory, entries, size);
    if (bytes < 0)
        return errno;
    *count = (size_t)bytes;
    return 0;
}

int dmshim_set_pipe_size(int pipe, int bytes)
{
    return fcntl(pipe, F_SETPIPE_SZ, bytes) == -1 ? errno : 0;
}
