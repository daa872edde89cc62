/* SPDX-License-Identifier: Apache-2.0 */
/* A segment through the vendor's compiler, an external command: what an Edge TPU runs. */
#include "edgetpu_internal.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run_compiler(const char *dir, const char *in, struct atoll_err *err)
{
    const char *given = getenv("ATOLL_EDGETPU_COMPILER");
    const char *program = given != NULL && given[0] != '\0' ? given : "edgetpu_compiler";
    char *const argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "-o",
                          (char *)(uintptr_t)dir, (char *)(uintptr_t)in, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int status = 0;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return atoll_fail_nomem(err, "a process", 0);
    }
    (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    const int rc = posix_spawnp(&child, program, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (rc != 0) {
        return atoll_fail(err, ATOLL_EDEVICE,
                          "%s cannot be started (%s); an Edge TPU runs compiled segments only: see "
                          "coral.ai/docs/edgetpu/compiler, or set ATOLL_EDGETPU_COMPILER",
                          program, strerror(rc));
    }
    while (waitpid(child, &status, 0) < 0) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return atoll_fail(err, ATOLL_EDEVICE, "%s failed on %s (status %d)", program, in,
                          WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    return 0;
}

/* The compiled file is read whole, so that its directory can go. */
static int read_compiled(const char *path, uint8_t **bytes, struct atoll_model **out,
                         struct atoll_err *err)
{
    struct atoll_map map = {0};
    int rc = atoll_map_open(path, &map, err);
    if (rc != 0) {
        return rc;
    }
    *bytes = atoll_alloc(map.size + 1);
    if (*bytes == NULL) {
        rc = atoll_fail_nomem(err, "a compiled segment", map.size);
    } else {
        memcpy(*bytes, map.data, map.size);
        rc = atoll_model_parse(path, *bytes, map.size, out, err);
    }
    atoll_map_close(&map);
    return rc;
}

int atoll__edgetpu_compile(const struct atoll_model *m, uint8_t **bytes, struct atoll_model **out,
                           struct atoll_err *err)
{
    const char *tmp = getenv("TMPDIR");
    char dir[256], in[300], compiled[300], log[300];
    (void)snprintf(dir, sizeof dir, "%.200s/atoll-edgetpu-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) {
        return atoll_fail(err, ATOLL_EIO, "%s: no such directory can be made", dir);
    }
    (void)snprintf(in, sizeof in, "%s/segment.tflite", dir);
    (void)snprintf(compiled, sizeof compiled, "%s/segment_edgetpu.tflite", dir);
    (void)snprintf(log, sizeof log, "%s/segment_edgetpu.log", dir);
    int rc = atoll_model_write(m, in, err);
    rc = rc ? rc : run_compiler(dir, in, err);
    rc = rc ? rc : read_compiled(compiled, bytes, out, err);
    (void)unlink(in);
    (void)unlink(compiled);
    (void)unlink(log);
    (void)rmdir(dir);
    return rc;
}
