#include "ioctl.h"

#include <errno.h>
#include <sys/ioctl.h>

int dmshim_ioctl_value(int descriptor, unsigned long request, unsigned long argument)
{
    return ioctl(descriptor, request, argument) == -1 ? errno : 0;
}

int dmshim_ioctl_number(int descriptor, unsigned long request, int *answer)
{
    *answer = ioctl(descriptor, request, 0);
    return *answer == -1 ? errno : 0;
}

int dmshim_ioctl_pointer(int descriptor, unsigned long request, void *argument)
{
    return ioctl(descriptor, request, argument) == -1 ? errno : 0;
}
