#ifndef CSHIMS_FILESYSTEMS_H
#define CSHIMS_FILESYSTEMS_H

// What the kernel's headers for programs leave out or hide from Swift: the ioctls that make a mounted file system
// larger, whose request codes are macros and whose structures only the file systems' own packages define. Each
// function returns 0 or the errno.
#include <stdint.h>

// EXT4_IOC_RESIZE_FS; the size is in blocks of the file system.
int dmshim_ext4_resize(int descriptor, uint64_t blocks);

// XFS_IOC_FSGEOMETRY_V1, in what has been its form since XFS came to Linux.
struct dmshim_xfs_geometry {
    uint32_t block_size, realtime_extent_size, group_blocks, group_count, log_blocks, sector_size, inode_size;
    uint32_t maximum_inode_percentage;
    uint64_t data_blocks, realtime_blocks, realtime_extents, log_start;
    uint8_t uuid[16];
    uint32_t stripe_unit, stripe_width;
    int32_t version;
    uint32_t flags, log_sector_size, realtime_sector_size, directory_block_size;
};
int dmshim_xfs_geometry(int descriptor, struct dmshim_xfs_geometry *geometry);

// XFS_IOC_FSGROWFSDATA; the size is in blocks of the file system.
int dmshim_xfs_grow(int descriptor, uint64_t blocks, uint32_t maximum_inode_percentage);

#endif
