#define _GNU_SOURCE
#include "file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int dmshim_lock_range(int descriptor, enum dmshim_lock_kind kind, long long start, long long length, int waits)
{
    struct flock lock = {
        .l_type = kind == DMSHIM_LOCK_NONE ? F_UNLCK : kind == DMSHIM_LOCK_SHARED ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = start,
        .l_len = length,
    };
    int result;
    do
        result = fcntl(descriptor, waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return 0;
    return errno == EACCES ? EAGAIN : errno;
}

int dmshim_lock_is_held(int descriptor, long long start, long long length, int *is_held)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    if (fcntl(descriptor, F_OFD_GETLK, &lock) != 0)
        return errno;
    *is_held = lock.l_type != F_UNLCK;
    return 0;
}
