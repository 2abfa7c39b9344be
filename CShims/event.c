#include "event.h"

#include <errno.h>
#include <sys/eventfd.h>

int dmshim_event_create(int *descriptor)
{
    *descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *descriptor >= 0 ? 0 : errno;
}
