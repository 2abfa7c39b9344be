#ifndef CSHIMS_WRITE_ERRORS_H
#define CSHIMS_WRITE_ERRORS_H

// Calls for a file system whose writes have failed: sync_file_range(2) is a GNU extension that Swift does not see, and
// the request code of EXT4_IOC_SHUTDOWN is a macro in no header for programs.

// Waits for what is being written to a file or block device, writes and flushes nothing, and reports a write that has
// failed since somebody was last told of one.
int dmshim_wait_for_writes(int descriptor);

// EXT4_IOC_SHUTDOWN: commits the journal and stops the file system, which leaves the journal to the next mount.
int dmshim_ext4_shut_down(int descriptor);

#endif
