#ifndef CSHIMS_LOOP_H
#define CSHIMS_LOOP_H

// The structures, flags and request codes of loop devices, which belong to no module that Swift imports by itself.
// Headers before Linux 5.8 lack LOOP_CONFIGURE and its structure: building needs newer ones, running does not.
#include <linux/loop.h>
#include <linux/major.h>

#endif
