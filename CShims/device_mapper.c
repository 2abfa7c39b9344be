#include "device_mapper.h"

#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

// The layout is the kernel's ABI and the Swift side computes with it.
_Static_assert(sizeof(struct dm_ioctl) == 312, "struct dm_ioctl");
_Static_assert(offsetof(struct dm_ioctl, data) == 305, "struct dm_ioctl.data");
_Static_assert(sizeof(struct dm_target_spec) == 40, "struct dm_target_spec");
_Static_assert(offsetof(struct dm_name_list, name) == 12, "struct dm_name_list.name");
_Static_assert(offsetof(struct dm_target_versions, name) == 16, "struct dm_target_versions.name");
_Static_assert(offsetof(struct dm_target_deps, dev) == 8, "struct dm_target_deps.dev");
_Static_assert(offsetof(struct dm_target_msg, message) == 8, "struct dm_target_msg.message");

int dmshim_ioctl(int descriptor, unsigned int number, void *request)
{
    return ioctl(descriptor, _IOWR(DM_IOCTL, number, struct dm_ioctl), request) == 0 ? 0 : errno;
}
