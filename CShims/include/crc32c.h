#ifndef CSHIMS_CRC32C_H
#define CSHIMS_CRC32C_H

// The instructions of a processor for CRC-32C, which Swift has no names for.
#include <stddef.h>
#include <stdint.h>

// Whether this processor has them: 1 or 0.
int dmshim_crc32c_supported(void);
// Continues a checksum over some bytes, without an inversion at either end; only where the processor has the instructions.
uint32_t dmshim_crc32c(uint32_t checksum, const void *bytes, size_t count);

#endif
