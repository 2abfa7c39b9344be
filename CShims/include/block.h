#ifndef CSHIMS_BLOCK_H
#define CSHIMS_BLOCK_H

// The ioctls of block devices. Their request codes are macros with a sizeof in them, and <linux/fs.h> defines again
// what <sys/mount.h> declares, so that Swift must not see both.
#include <stdint.h>

// O_DIRECT, which glibc defines for _GNU_SOURCE only.
extern const int dmshim_O_DIRECT;

// BLKGETSIZE64
int dmshim_block_size(int descriptor, uint64_t *bytes);
// BLKSSZGET
int dmshim_block_logical_block_size(int descriptor, int *bytes);
// BLKROGET
int dmshim_block_read_only(int descriptor, int *flag);
// BLKDISCARD
int dmshim_block_discard(int descriptor, uint64_t offset, uint64_t length);
// BLKZEROOUT
int dmshim_block_zero(int descriptor, uint64_t offset, uint64_t length);
// fallocate(2) with FALLOC_FL_PUNCH_HOLE, whose flags glibc defines for _GNU_SOURCE only.
int dmshim_punch_hole(int file, uint64_t offset, uint64_t length);

#endif
