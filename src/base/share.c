/* SPDX-License-Identifier: Apache-2.0 */
/* Where the data files are: asked for, in the environment, installed, or in the source tree. */
#include <atoll/base.h>

#include "src/base/share_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARE_PLACES = 4 };

char **atoll_share_dirs(const char *given)
{
    const char *places[SHARE_PLACES] = {given, getenv("ATOLL_SHARE"), ATOLL_SHARE_INSTALLED,
                                        ATOLL_SHARE_SOURCE};
    char **dirs = atoll_calloc(SHARE_PLACES + 1, sizeof *dirs);
    size_t n = 0;
    for (size_t i = 0; dirs != NULL && i < SHARE_PLACES; i++) {
        if (places[i] == NULL || places[i][0] == '\0') {
            continue;
        }
        dirs[n] = atoll_strdup(places[i]);
        if (dirs[n] == NULL) {
            atoll_share_dirs_free(dirs);
            return NULL;
        }
        n++;
    }
    return dirs;
}

void atoll_share_dirs_free(char **dirs)
{
    for (char **dir = dirs; dir != NULL && *dir != NULL; dir++) {
        atoll_free(*dir);
    }
    atoll_free(dirs);
}

static int fail_missing(char **dirs, const char *relative, struct atoll_err *err)
{
    struct atoll_buf list = {0};
    for (char **dir = dirs; *dir != NULL; dir++) {
        atoll_buf_printf(&list, "%s%s", dir == dirs ? "" : ", ", *dir);
    }
    const int code =
        list.failed ? atoll_fail_nomem(err, "an error message", 0)
                    : atoll_fail(err, ATOLL_ENOTFOUND, "%s: not found in %s", relative, list.data);
    atoll_buf_finish(&list);
    return code;
}

int atoll_share_find(const char *given, const char *relative, char **path, struct atoll_err *err)
{
    char **dirs = atoll_share_dirs(given);
    if (dirs == NULL) {
        return atoll_fail_nomem(err, "the list of data directories", SHARE_PLACES);
    }
    int code = ATOLL_ENOTFOUND;
    for (char **dir = dirs; *dir != NULL && code == ATOLL_ENOTFOUND; dir++) {
        struct atoll_buf name = {0};
        atoll_buf_printf(&name, "%s/%s", *dir, relative);
        if (name.failed) {
            code = atoll_fail_nomem(err, "a path", strlen(*dir) + strlen(relative));
        } else if (access(name.data, F_OK) == 0) {
            *path = name.data;
            name = (struct atoll_buf){0};
            code = ATOLL_OK;
        }
        atoll_buf_finish(&name);
    }
    if (code == ATOLL_ENOTFOUND) {
        code = fail_missing(dirs, relative, err);
    }
    atoll_share_dirs_free(dirs);
    return code;
}
