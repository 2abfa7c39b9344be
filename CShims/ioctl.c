#include "ioctl.h"

#include <errno.h>
#include <sys/ioctl.h>

int dmshim_ioctl_value(int descriptor, unsigned long request, unsigned long argument)
{
    int result = ioctl(descriptor, request, argument);
    return result == -1 ? -errno : result;
}

int dmshim_ioctl_pointer(int descriptor, unsigned long request, void *argument)
{
    int result = ioctl(descriptor, request, argument);
    return result == -1 ? -errno : result;
}
