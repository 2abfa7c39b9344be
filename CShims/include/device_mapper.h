#ifndef CSHIMS_DEVICE_MAPPER_H
#define CSHIMS_DEVICE_MAPPER_H

// The structures of the device mapper's ioctl interface. Swift imports the structures, the flags and the command
// numbers; the request codes (function-like macros with a sizeof in them) it cannot.
#include <linux/dm-ioctl.h>
#include <stdint.h>

// Issues control command `number` (DM_VERSION_CMD, ...) on `descriptor`; `request` begins with a struct dm_ioctl.
// A command that a signal interrupted is not issued again.
int dmshim_ioctl(int descriptor, unsigned int number, void *request);

#endif
