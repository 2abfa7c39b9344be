// Zstandard, of Debian's package libzstd-dev.
#include <zstd.h>
