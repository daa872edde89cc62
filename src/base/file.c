/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: mapped for reading, written in one piece under a temporary name. */
#include <atoll/base.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno(struct atoll_err *err, int code, const char *path, const char *doing,
                      int reason)
{
    char text[128] = "";
    if (strerror_r(reason, text, sizeof text) != 0) {
        (void)snprintf(text, sizeof text, "error %d", reason);
    }
    return atoll_fail(err, code, "%s: %s: %s", path, doing, text);
}

static int fail_read(struct atoll_err *err, const char *path, const char *doing, int reason)
{
    const bool missing = reason == ENOENT || reason == ENOTDIR;
    return fail_errno(err, missing ? ATOLL_ENOTFOUND : ATOLL_EIO, path, doing, reason);
}

static int fail_write(struct atoll_err *err, const char *path, int reason)
{
    return fail_errno(err, ATOLL_EIO, path, "cannot write it", reason);
}

static int map_fd(int fd, const char *path, struct atoll_map *map, struct atoll_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return fail_read(err, path, "cannot look at it", errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: is %s (expected a file)", path,
                          S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
    }
    if (st.st_size == 0) {
        *map = (struct atoll_map){0};
        return ATOLL_OK;
    }
    if ((uintmax_t)st.st_size > SIZE_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: %jd bytes do not fit this machine's memory", path,
                          (intmax_t)st.st_size);
    }
    const size_t size = (size_t)st.st_size;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        return fail_read(err, path, "cannot map it", errno);
    }
    *map = (struct atoll_map){.data = data, .size = size};
    return ATOLL_OK;
}

/* O_NONBLOCK: opening a pipe that nobody writes to must give an error, not wait for ever. */
int atoll_map_open(const char *path, struct atoll_map *map, struct atoll_err *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return fail_read(err, path, "cannot open it", errno);
    }
    const int code = map_fd(fd, path, map, err);
    (void)close(fd);
    return code;
}

void atoll_map_close(struct atoll_map *map)
{
    if (map == NULL) {
        return;
    }
    if (map->data != NULL) {
        union {
            const uint8_t *borrowed;
            void *owned;
        } mapped = {.borrowed = map->data};
        (void)munmap(mapped.owned, map->size);
    }
    *map = (struct atoll_map){0};
}

/* 0, or the errno of the failure. */
static int write_all(int fd, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    while (n > 0) {
        const ssize_t done = write(fd, p, n);
        if (done < 0 && errno != EINTR) {
            return errno;
        }
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

/* Devices and pipes ("/dev/stdout") are written in place: a rename would replace the device. */
static int write_in_place(const char *path, const void *bytes, size_t n, struct atoll_err *err)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_write(err, path, errno);
    }
    int reason = write_all(fd, bytes, n);
    if (close(fd) != 0 && reason == 0) {
        reason = errno;
    }
    return reason == 0 ? ATOLL_OK : fail_write(err, path, reason);
}

static int open_temporary(const char *target, char **temporary, int *reason)
{
    static atomic_uint counter;
    const size_t room = strlen(target) + 48;
    *temporary = atoll_alloc(room);
    if (*temporary == NULL) {
        *reason = ENOMEM;
        return -1;
    }
    int fd = -1;
    do {
        (void)snprintf(*temporary, room, "%s.tmp-%ld-%u", target, (long)getpid(),
                       atomic_fetch_add(&counter, 1));
        fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    *reason = fd < 0 ? errno : 0;
    return fd;
}

/* `mode` 0: the file is new and the umask decides. */
static int replace_file(const char *path, const char *target, mode_t mode, const void *bytes,
                        size_t n, struct atoll_err *err)
{
    char *temporary = NULL;
    int reason = 0;
    const int fd = open_temporary(target, &temporary, &reason);
    if (fd >= 0) {
        reason = write_all(fd, bytes, n);
        if (reason == 0 && ((mode != 0 && fchmod(fd, mode) != 0) || fsync(fd) != 0)) {
            reason = errno;
        }
        if (close(fd) != 0 && reason == 0) {
            reason = errno;
        }
        if (reason == 0 && rename(temporary, target) != 0) {
            reason = errno;
        }
        if (reason != 0) {
            (void)unlink(temporary);
        }
    }
    const bool no_memory = temporary == NULL;
    atoll_free(temporary);
    if (no_memory) {
        return atoll_fail_nomem(err, "a temporary file name", strlen(target));
    }
    if (reason == 0) {
        return ATOLL_OK;
    }
    return fail_write(err, path, reason);
}

int atoll_write_file(const char *path, const void *bytes, size_t n, struct atoll_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return replace_file(path, path, 0, bytes, n, err);
    }
    if (S_ISDIR(st.st_mode)) {
        return atoll_fail(err, ATOLL_EIO, "%s: cannot write it: is a directory", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return write_in_place(path, bytes, n, err);
    }
    /* An existing file keeps its mode, and a link keeps pointing to it. */
    char *target = realpath(path, NULL);
    if (target == NULL) {
        return fail_write(err, path, errno);
    }
    const int code = replace_file(path, target, st.st_mode & 07777, bytes, n, err);
    free(target);
    return code;
}
