/* SPDX-License-Identifier: Apache-2.0 */
/* The board profiles that the data directories hold. */
#include <atoll/cost.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

struct names {
    char **v;
    size_t n, cap;
};

static bool add(struct names *l, const char *file)
{
    const size_t n = strlen(file);
    if (n <= 5 || file[0] == '.' || strcmp(file + n - 5, ".yaml") != 0) {
        return true;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (strlen(l->v[i]) == n - 5 && strncmp(l->v[i], file, n - 5) == 0) {
            return true;
        }
    }
    void *grown = l->v;
    const int rc = atoll_grow(&grown, &l->cap, l->n + 2, sizeof *l->v);
    l->v = grown;
    char *name = rc == 0 ? atoll_strdup(file) : NULL;
    if (name == NULL) {
        return false;
    }
    name[n - 5] = '\0';
    l->v[l->n++] = name;
    l->v[l->n] = NULL;
    return true;
}

static bool scan(struct names *l, const char *dir)
{
    struct atoll_buf path = {0};
    atoll_buf_printf(&path, "%s/boards", dir);
    DIR *d = path.failed ? NULL : opendir(path.data);
    bool ok = !path.failed;
    if (d != NULL) {
        for (struct dirent *e = readdir(d); e != NULL && ok; e = readdir(d)) {
            ok = add(l, e->d_name);
        }
        closedir(d);
    }
    atoll_buf_finish(&path);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **atoll_board_names(const char *share)
{
    struct names l = {.v = atoll_calloc(1, sizeof(char *)), .cap = 1};
    char **dirs = atoll_share_dirs(share);
    bool ok = l.v != NULL && dirs != NULL;
    for (size_t i = 0; ok && dirs[i] != NULL; i++) {
        ok = scan(&l, dirs[i]);
    }
    atoll_share_dirs_free(dirs);
    if (!ok) {
        atoll_share_dirs_free(l.v);
        return NULL;
    }
    qsort(l.v, l.n, sizeof *l.v, by_name);
    return l.v;
}
