#ifndef CSHIMS_FILE_SPACE_H
#define CSHIMS_FILE_SPACE_H

// fallocate(2) is a GNU extension that Swift does not see, and posix_fallocate(3) writes zeros where a file system has
// no such call.

// Gives the first `length` bytes of a file their space on the disk, without changing its size.
int dmshim_allocate(int descriptor, long long length);

#endif
