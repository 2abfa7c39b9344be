#ifndef CSHIMS_FILESYSTEMS_H
#define CSHIMS_FILESYSTEMS_H

// Interfaces that the kernel's headers for programs leave out or hide from Swift: ioctls of mounted file systems, whose
// request codes are macros and whose structures only the file systems' own packages define.
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

// FITRIM over the whole file system; `trimmed` is in bytes.
int dmshim_trim(int descriptor, uint64_t *trimmed);
// XFS_IOC_BULKSTAT, since Linux 5.5: the status of many inodes in the order of their numbers.
struct dmshim_xfs_inode {
    uint64_t number, size, blocks, flags;
    int64_t access_time, modification_time, change_time, birth_time;
    uint32_t generation, user, group, project;
    uint32_t access_nanoseconds, modification_nanoseconds, change_nanoseconds, birth_nanoseconds;
    uint32_t block_size, device, copy_extent_size, extent_size, link_count, extents, attribute_extents;
    uint16_t version, fork_offset, sick, checked, mode, padding;
    uint64_t extents64, reserved[6];
};
// Stores at most `capacity` inodes from number `*next` on, how many they are in `*count`, and where to go on in `*next`.
int dmshim_xfs_inodes(
    int descriptor, uint64_t *next, struct dmshim_xfs_inode *inodes, uint32_t capacity, uint32_t *count);

// syncfs(2), a GNU extension.
int dmshim_sync_filesystem(int descriptor);

// The calls that mount a file system without a place for it, since Linux 5.2. glibc has them since 2.36, in a header
// that must not be read together with <linux/fs.h>.

// mount_setattr(2): whether the kernel has it, as Linux has since 5.12; otherwise the error is ENOSYS.
int dmshim_require_mount_attributes(void);

// fsopen(2): begins a mount of a type of file system, and stores the descriptor.
int dmshim_open_filesystem(const char *type, int *filesystem);
// fsconfig(2): sets an option, with a value or without.
int dmshim_set_option(int filesystem, const char *option, const char *value);
// fsconfig(2), FSCONFIG_CMD_CREATE: reads the superblock.
int dmshim_create_superblock(int filesystem);
// fsmount(2): the root directory of a mount that may run no programs, know no devices and, on request, not be written to.
// Stores the descriptor.
int dmshim_mount_nowhere(int filesystem, int read_only, int *root);

#endif
