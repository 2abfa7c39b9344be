#ifndef CSHIMS_FILE_LOCK_H
#define CSHIMS_FILE_LOCK_H

// Locks on ranges of a file that belong to an open file description instead of a process, so that they work between
// threads as well: F_OFD_SETLK is a GNU extension that Swift does not see. The error is EAGAIN when another description
// holds the range and the call does not wait. A call that a signal interrupted is made again.

enum dmshim_lock_kind {
    DMSHIM_LOCK_NONE,
    DMSHIM_LOCK_SHARED,
    DMSHIM_LOCK_EXCLUSIVE,
};

int dmshim_lock_range(int descriptor, enum dmshim_lock_kind kind, long long start, long long length, int waits);

// Whether anybody has a lock on any byte of a range; nothing is locked.
int dmshim_lock_is_held(int descriptor, long long start, long long length, int *is_held);

#endif
