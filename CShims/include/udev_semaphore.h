#ifndef CSHIMS_UDEV_SEMAPHORE_H
#define CSHIMS_UDEV_SEMAPHORE_H

// System V semaphores, with which udev's rules report that they are done with a device: semctl(2) is variadic and
// takes a union that programs must define themselves, semtimedop(2) is a GNU extension. Each returns 0 or the errno.

// Makes a semaphore of mode 0600 with a value; EEXIST when the key is taken.
int dmshim_semaphore_create(int key, int value, int *identifier);

// Adds a positive or negative amount to the value; EAGAIN when it would become less than zero.
int dmshim_semaphore_add(int identifier, int amount);

// Waits until the value is zero; EAGAIN when it is not within so many milliseconds.
int dmshim_semaphore_wait_for_zero(int identifier, long milliseconds);

int dmshim_semaphore_remove(int identifier);

#endif
