#define _GNU_SOURCE
#include "file_space.h"

#include <errno.h>
#include <fcntl.h>

int dmshim_allocate(int descriptor, long long length)
{
    int result;
    do {
        result = fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, length);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}
