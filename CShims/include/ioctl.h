#ifndef CSHIMS_IOCTL_H
#define CSHIMS_IOCTL_H

// ioctl(2) is variadic, and Swift does not import variadic functions.

// For a request that takes a number or nothing.
int dmshim_ioctl_value(int descriptor, unsigned long request, unsigned long argument);

// For a request that takes nothing and answers a number.
int dmshim_ioctl_number(int descriptor, unsigned long request, int *answer);

// For a request that takes the address of a structure.
int dmshim_ioctl_pointer(int descriptor, unsigned long request, void *argument);

#endif
