#pragma once

#include <stdint.h>

// The least work that a kernel can do to make, mount, unmount and remove a layer: bare ioctls of the device mapper, in
// one buffer, with nothing checked, locked or remembered. The cost of a storage driver is measured against this.
//
// Every function returns 0 or an errno.

struct floor_pool {
    /// An open control node.
    int control;
    /// The thin pool, as a device number of the kernel's.
    uint64_t pool;
    /// An open file that a line is added to for each layer, so that it is durable.
    int journal;
};

/// One system call that does next to nothing, to know what one costs here.
int floor_system_call(void);

/// Makes thin device `id` as a snapshot of `origin`, and one durable note of it.
int floor_create(struct floor_pool floor, uint32_t id, uint32_t origin);

/// One durable note.
int floor_note(struct floor_pool floor);

/// Makes thin device `id` the mapped device `name`, `/dev/dm-<number>`.
int floor_activate(struct floor_pool floor, uint32_t id, uint64_t sectors, const char *name, uint32_t *number);

/// Removes the mapped device `name`.
int floor_deactivate(struct floor_pool floor, const char *name);

/// Makes thin device `id` the mapped device `name` and mounts it.
int floor_mount(struct floor_pool floor, uint32_t id, uint64_t sectors, const char *name, const char *directory,
                const char *type);

/// Unmounts the directory and removes the mapped device.
int floor_unmount(struct floor_pool floor, const char *name, const char *directory);

/// Deletes thin device `id`.
int floor_delete(struct floor_pool floor, uint32_t id);

/// Makes a small file durable under a name of its own, so that it is never seen half written: what Docker's format of one file
/// for a layer takes at the least, on a file system with a journal.
int floor_register(const char *directory, uint32_t id);

/// Synchronises a directory.
int floor_synchronize(const char *directory);

/// Asks for the state of every file in a tree, as whoever compares two trees must.
int floor_walk(const char *directory);

/// Asks for the pool's status with a commit of its metadata.
int floor_commit(struct floor_pool floor);
