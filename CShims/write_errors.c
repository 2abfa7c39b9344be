#define _GNU_SOURCE
#include "write_errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>

int dmshim_wait_for_writes(int descriptor)
{
    return sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) == 0 ? 0 : errno;
}

int dmshim_ext4_shut_down(int descriptor)
{
    uint32_t with_log_flush = 1;
    return ioctl(descriptor, _IOR('X', 125, uint32_t), &with_log_flush) == 0 ? 0 : errno;
}
