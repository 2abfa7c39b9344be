#include "build.h"

#ifndef DMSHIM_COMMIT
#define DMSHIM_COMMIT ""
#endif

const char *dmshim_build_commit(void)
{
    return DMSHIM_COMMIT;
}
