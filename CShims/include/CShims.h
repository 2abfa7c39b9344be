// What Swift cannot import from the C headers, each piece with its reason, and nothing else.
#ifndef CSHIMS_H
#define CSHIMS_H

#include "device_mapper.h"
#include "file_tree.h"

#endif
