#define _GNU_SOURCE
#include "filesystems.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct xfs_growth {
    uint64_t data_blocks;
    uint32_t maximum_inode_percentage;
};

struct xfs_inode_request {
    uint64_t next;
    uint32_t flags, capacity, count, group;
    uint64_t reserved[5];
    struct dmshim_xfs_inode inodes[];
};

_Static_assert(sizeof(struct dmshim_xfs_inode) == 192, "struct xfs_bulkstat");
_Static_assert(sizeof(struct xfs_inode_request) == 64, "struct xfs_bulk_ireq");
_Static_assert(sizeof(struct dmshim_xfs_geometry) == 112, "struct xfs_fsop_geom_v1");
_Static_assert(sizeof(struct xfs_growth) == 16, "struct xfs_growfs_data");

int dmshim_ext4_resize(int descriptor, uint64_t blocks)
{
    return ioctl(descriptor, _IOW('f', 16, uint64_t), &blocks) == 0 ? 0 : errno;
}

int dmshim_xfs_geometry(int descriptor, struct dmshim_xfs_geometry *geometry)
{
    return ioctl(descriptor, _IOR('X', 100, struct dmshim_xfs_geometry), geometry) == 0 ? 0 : errno;
}

int dmshim_xfs_grow(int descriptor, uint64_t blocks, uint32_t maximum_inode_percentage)
{
    struct xfs_growth growth = {blocks, maximum_inode_percentage};
    return ioctl(descriptor, _IOW('X', 110, struct xfs_growth), &growth) == 0 ? 0 : errno;
}

int dmshim_trim(int descriptor, uint64_t *trimmed)
{
    // struct fstrim_range of <linux/fs.h>, which must not be read together with <linux/mount.h>.
    struct {
        uint64_t start, length, shortest;
    } range = {0, UINT64_MAX, 0};
    if (ioctl(descriptor, _IOWR('X', 121, range), &range) != 0)
        return errno;
    *trimmed = range.length;
    return 0;
}

int dmshim_xfs_inodes(
    int descriptor, uint64_t *next, struct dmshim_xfs_inode *inodes, uint32_t capacity, uint32_t *count)
{
    // The kernel wants the array behind the request.
    size_t size = (size_t)capacity * sizeof *inodes;
    struct xfs_inode_request *request = calloc(1, sizeof *request + size);
    if (!request)
        return ENOMEM;
    request->next = *next;
    request->capacity = capacity;
    int error = ioctl(descriptor, _IOR('X', 127, struct xfs_inode_request), request) == 0 ? 0 : errno;
    if (!error) {
        *next = request->next;
        *count = request->count < capacity ? request->count : capacity;
        memcpy(inodes, request->inodes, *count * sizeof *inodes);
    }
    free(request);
    return error;
}

int dmshim_sync_filesystem(int descriptor)
{
    return syncfs(descriptor) == 0 ? 0 : errno;
}

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

int dmshim_require_mount_attributes(void)
{
    // The structure of Linux 5.12: with all of its fields 0, the call changes nothing.
    const unsigned long long nothing[4] = {0};
    // Any other error comes from a kernel that has the call.
    return syscall(SYS_mount_setattr, -1, "/", 0, nothing, sizeof nothing) == -1 && errno == ENOSYS ? ENOSYS : 0;
}

int dmshim_open_filesystem(const char *type, int *filesystem)
{
    *filesystem = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    return *filesystem == -1 ? errno : 0;
}

int dmshim_set_option(int filesystem, const char *option, const char *value)
{
    unsigned int command = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
    return syscall(SYS_fsconfig, filesystem, command, option, value, 0) == 0 ? 0 : errno;
}

int dmshim_create_superblock(int filesystem)
{
    return syscall(SYS_fsconfig, filesystem, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0 ? 0 : errno;
}

int dmshim_mount_nowhere(int filesystem, int read_only, int *root)
{
    unsigned int attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID | (read_only ? MOUNT_ATTR_RDONLY : 0);
    *root = (int)syscall(SYS_fsmount, filesystem, FSMOUNT_CLOEXEC, attributes);
    return *root == -1 ? errno : 0;
}
