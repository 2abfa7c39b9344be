#include "filesystems.h"

#include <errno.h>
#include <sys/ioctl.h>

struct xfs_growth {
    uint64_t data_blocks;
    uint32_t maximum_inode_percentage;
};

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
