#define _GNU_SOURCE
#include "journal_order.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

int dmshim_is_ext4_or_xfs(int descriptor, int *answer)
{
    struct statfs status;
    if (fstatfs(descriptor, &status) != 0)
        return errno;
    *answer = status.f_type == EXT4_SUPER_MAGIC || status.f_type == XFS_SUPER_MAGIC;
    return 0;
}

int dmshim_write_out(int descriptor)
{
    int result;
    do {
        result = sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}
