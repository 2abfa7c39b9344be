#ifndef CSHIMS_UDEV_SEMAPHORE_H
#define CSHIMS_UDEV_SEMAPHORE_H

// System V semaphores, with which udev's rules report that they are done with a device: semctl(2) is variadic and
// takes a union that programs must define themselves, semtimedop(2) is a GNU extension.

// Makes a semaphore of mode 0600 with a value; EEXIST when the key is taken.
int dmshim_semaphore_create(int key, int value, int *identifier);

// Adds a positive or negative amount to the value; EAGAIN when it would become less than zero.
int dmshim_semaphore_add(int identifier, int amount);

// Waits until the value is zero; EAGAIN when it is not within so many milliseconds.
int dmshim_semaphore_wait_for_zero(int identifier, long milliseconds);

int dmshim_semaphore_remove(int identifier);

// Finds the semaphore with a key; ENOENT when there is none.
int dmshim_semaphore_find(int key, int *identifier);

// A semaphore as the system's table has it; the times are in seconds since 1970.
struct dmshim_semaphore_state {
    int key;
    int identifier;
    int value;
    long operated;
    long changed;
};

// The last place of the system's table that is in use, or -1.
int dmshim_semaphore_last(void);

// Reads one place of the table; EINVAL when it is not in use.
int dmshim_semaphore_at(int index, struct dmshim_semaphore_state *state);

#endif
