#define _GNU_SOURCE
#include "udev_semaphore.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

union semaphore_argument {
    int value;
    struct semid_ds *state;
    unsigned short *values;
};

int dmshim_semaphore_create(int key, int value, int *identifier)
{
    int created = semget(key, 1, 0600 | IPC_CREAT | IPC_EXCL);
    if (created < 0)
        return errno;
    union semaphore_argument argument = {.value = value};
    if (semctl(created, 0, SETVAL, argument) < 0) {
        int error = errno;
        semctl(created, 0, IPC_RMID);
        return error;
    }
    *identifier = created;
    return 0;
}

int dmshim_semaphore_add(int identifier, int amount)
{
    struct sembuf operation = {.sem_num = 0, .sem_op = (short)amount, .sem_flg = IPC_NOWAIT};
    return semop(identifier, &operation, 1) == 0 ? 0 : errno;
}

int dmshim_semaphore_wait_for_zero(int identifier, long milliseconds)
{
    struct sembuf operation = {.sem_num = 0, .sem_op = 0, .sem_flg = 0};
    struct timespec timeout = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    return semtimedop(identifier, &operation, 1, &timeout) == 0 ? 0 : errno;
}

int dmshim_semaphore_remove(int identifier)
{
    return semctl(identifier, 0, IPC_RMID) == 0 ? 0 : errno;
}
