#ifndef CSHIMS_IOCTL_H
#define CSHIMS_IOCTL_H

// ioctl(2) is variadic, and its errno must be read before anything else runs. These return what the call returned, or
// the negated errno.

// For a request that takes a number or nothing.
int dmshim_ioctl_value(int descriptor, unsigned long request, unsigned long argument);

// For a request that takes the address of a structure.
int dmshim_ioctl_pointer(int descriptor, unsigned long request, void *argument);

#endif
