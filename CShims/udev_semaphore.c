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
    struct seminfo *table;
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

int dmshim_semaphore_find(int key, int *identifier)
{
    int found = semget(key, 1, 0);
    if (found < 0)
        return errno;
    *identifier = found;
    return 0;
}

int dmshim_semaphore_last(void)
{
    struct seminfo table;
    union semaphore_argument argument = {.table = &table};
    return semctl(0, 0, SEM_INFO, argument);
}

int dmshim_semaphore_at(int index, struct dmshim_semaphore_state *state)
{
    struct semid_ds found;
    union semaphore_argument argument = {.state = &found};
    int identifier = semctl(index, 0, SEM_STAT, argument);
    if (identifier < 0)
        return errno;
    int value = semctl(identifier, 0, GETVAL);
    if (value < 0)
        return errno;
    state->key = found.sem_perm.__key;
    state->identifier = identifier;
    state->value = value;
    state->operated = found.sem_otime;
    state->changed = found.sem_ctime;
    return 0;
}
