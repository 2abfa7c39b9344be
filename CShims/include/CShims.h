// What Swift cannot import from the C headers, each piece with its reason, and nothing else.
#ifndef CSHIMS_H
#define CSHIMS_H

#include "block.h"
#include "device_mapper.h"
#include "file_lock.h"
#include "file_space.h"
#include "file_tree.h"
#include "filesystems.h"
#include "ioctl.h"
#include "journal_order.h"
#include "loop.h"
#include "udev_semaphore.h"
#include "write_errors.h"

#endif
