#ifndef CSHIMS_FILE_TREE_H
#define CSHIMS_FILE_TREE_H

// Walking and filling directory trees by open descriptors. glibc declares these calls and constants for _GNU_SOURCE
// only, or not at all (openat2), and Swift imports glibc without it.
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Not part of Swift's Glibc module.
#include <sys/sysmacros.h>
#include <sys/xattr.h>

extern const uint64_t dmshim_O_PATH;
extern const uint64_t dmshim_O_NOATIME;
extern const int dmshim_SEEK_DATA;
extern const int dmshim_SEEK_HOLE;
extern const int dmshim_AT_EMPTY_PATH;

// openat2(2), since Linux 5.6: the one way to resolve a path that cannot leave a directory. A call that a signal
// interrupted is made again.
int dmshim_openat2(
    int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve, int *descriptor);
// getdents64(2); stores how many bytes it has read.
int dmshim_getdents64(int directory, void *entries, size_t size, size_t *count);
// statx(2)
int dmshim_statx(int directory, const char *name, int flags, unsigned int mask, struct statx *status);
// fcntl(2), F_SETPIPE_SZ: variadic.
int dmshim_set_pipe_size(int pipe, int bytes);

#endif
