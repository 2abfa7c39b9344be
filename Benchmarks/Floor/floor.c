#define _GNU_SOURCE
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct request {
    struct dm_ioctl header;
    char payload[512];
};

static void prepare(struct request *request, const char *name)
{
    memset(request, 0, sizeof *request);
    request->header.version[0] = 4;
    request->header.data_size = sizeof *request;
    request->header.data_start = sizeof request->header;
    if (name)
        strncpy(request->header.name, name, sizeof request->header.name - 1);
}

static int message(struct floor_pool floor, const char *text)
{
    struct request request;
    prepare(&request, NULL);
    request.header.version[1] = 2;
    request.header.dev = floor.pool;
    struct dm_target_msg *target = (struct dm_target_msg *)request.payload;
    strcpy(target->message, text);
    return ioctl(floor.control, DM_TARGET_MSG, &request) == 0 ? 0 : errno;
}

int floor_system_call(void)
{
    syscall(SYS_getppid);
    return 0;
}

int floor_create(struct floor_pool floor, uint32_t id, uint32_t origin)
{
    char text[64];
    snprintf(text, sizeof text, "create_snap %u %u", id, origin);
    int result = message(floor, text);
    return result ? result : floor_note(floor);
}

int floor_note(struct floor_pool floor)
{
    // As long as what a driver notes down about a layer.
    char text[160];
    memset(text, ' ', sizeof text - 1);
    text[sizeof text - 1] = '\n';
    if (write(floor.journal, text, sizeof text) != sizeof text)
        return errno;
    return fdatasync(floor.journal) == 0 ? 0 : errno;
}

int floor_activate(struct floor_pool floor, uint32_t id, uint64_t sectors, const char *name, uint32_t *number)
{
    struct request request;
    prepare(&request, name);
    if (ioctl(floor.control, DM_DEV_CREATE, &request) != 0)
        return errno;

    prepare(&request, name);
    request.header.target_count = 1;
    struct dm_target_spec *target = (struct dm_target_spec *)request.payload;
    target->length = sectors;
    strcpy(target->target_type, "thin");
    snprintf((char *)(target + 1), 64, "%u:%u %u", major(floor.pool), minor(floor.pool), id);
    if (ioctl(floor.control, DM_TABLE_LOAD, &request) != 0)
        return errno;

    prepare(&request, name);
    if (ioctl(floor.control, DM_DEV_SUSPEND, &request) != 0)
        return errno;
    *number = minor(request.header.dev);
    return 0;
}

int floor_mount(struct floor_pool floor, uint32_t id, uint64_t sectors, const char *name, const char *directory,
                const char *type)
{
    uint32_t number;
    int result = floor_activate(floor, id, sectors, name, &number);
    if (result)
        return result;
    char node[32];
    snprintf(node, sizeof node, "/dev/dm-%u", number);
    return mount(node, directory, type, 0, NULL) == 0 ? 0 : errno;
}

int floor_unmount(struct floor_pool floor, const char *name, const char *directory)
{
    return umount2(directory, 0) == 0 ? floor_deactivate(floor, name) : errno;
}

int floor_deactivate(struct floor_pool floor, const char *name)
{
    struct request request;
    prepare(&request, name);
    return ioctl(floor.control, DM_DEV_REMOVE, &request) == 0 ? 0 : errno;
}

int floor_delete(struct floor_pool floor, uint32_t id)
{
    char text[32];
    snprintf(text, sizeof text, "delete %u", id);
    return message(floor, text);
}

int floor_register(const char *directory, uint32_t id)
{
    char temporary[4096], name[4096], text[126];
    snprintf(temporary, sizeof temporary, "%s/.tmp%u", directory, id);
    snprintf(name, sizeof name, "%s/layer-%u", directory, id);
    memset(text, ' ', sizeof text);
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return errno;
    int result = 0;
    if (write(descriptor, text, sizeof text) != sizeof text
        || sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0
        || rename(temporary, name) != 0 || fsync(descriptor) != 0)
        result = errno;
    close(descriptor);
    return result;
}

int floor_synchronize(const char *directory)
{
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return errno;
    int result = fsync(descriptor) == 0 ? 0 : errno;
    close(descriptor);
    return result;
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)path, (void)status, (void)type, (void)position;
    return 0;
}

int floor_walk(const char *directory)
{
    return nftw(directory, visit, 32, FTW_PHYS) == 0 ? 0 : errno;
}

int floor_commit(struct floor_pool floor)
{
    struct request request;
    prepare(&request, NULL);
    request.header.dev = floor.pool;
    return ioctl(floor.control, DM_TABLE_STATUS, &request) == 0 ? 0 : errno;
}
