#ifndef CSHIMS_JOURNAL_ORDER_H
#define CSHIMS_JOURNAL_ORDER_H

// Swift sees neither statfs(2), whose struct it does not import, nor sync_file_range(2), which is a GNU extension.

// Whether the file system of an open file is ext4 (or what shares its magic number and its driver) or XFS.
int dmshim_is_ext4_or_xfs(int descriptor, int *answer);
// Writes the content of a file to where it belongs on the disk, and waits for that: no flush of the disk's cache, nothing
// of names, times or the journal.
int dmshim_write_out(int descriptor);

#endif
