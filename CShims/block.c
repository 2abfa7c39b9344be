#define _GNU_SOURCE
#include "block.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <sys/ioctl.h>

const int dmshim_O_DIRECT = O_DIRECT;

int dmshim_block_size(int descriptor, uint64_t *bytes)
{
    return ioctl(descriptor, BLKGETSIZE64, bytes) == 0 ? 0 : errno;
}

int dmshim_block_logical_block_size(int descriptor, int *bytes)
{
    return ioctl(descriptor, BLKSSZGET, bytes) == 0 ? 0 : errno;
}

int dmshim_block_read_only(int descriptor, int *flag)
{
    return ioctl(descriptor, BLKROGET, flag) == 0 ? 0 : errno;
}

int dmshim_block_discard(int descriptor, uint64_t offset, uint64_t length)
{
    uint64_t range[2] = {offset, length};
    return ioctl(descriptor, BLKDISCARD, range) == 0 ? 0 : errno;
}

int dmshim_block_zero(int descriptor, uint64_t offset, uint64_t length)
{
    uint64_t range[2] = {offset, length};
    return ioctl(descriptor, BLKZEROOUT, range) == 0 ? 0 : errno;
}

int dmshim_punch_hole(int file, uint64_t offset, uint64_t length)
{
    return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0 ? 0 : errno;
}
