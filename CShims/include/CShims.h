// The system calls, structures and constants that Swift cannot import from the C headers. Each header says why.
//
// Every function returns 0 or the error number; it stores a result where its last pointer points.
#ifndef CSHIMS_H
#define CSHIMS_H

#include "block.h"
#include "build.h"
#include "crc32c.h"
#include "device_mapper.h"
#include "event.h"
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
