// zlib, of Debian's package zlib1g-dev.
#include <zlib.h>
