/* SPDX-License-Identifier: Apache-2.0 */
/* Files with the names of classes: a line a class, or "number name" on every line. */
#include "data_internal.h"

#include <string.h>

enum { LABELS_MAX = 100000, NAME_BYTES_MAX = 1000 };

struct line {
    const char *text;
    size_t n;
};

/* The next line without its end; false at the end of the text. */
static bool next_line(const char **at, const char *end, struct line *l)
{
    if (*at >= end) {
        return false;
    }
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    const char *after = stop != NULL ? stop + 1 : end;
    stop = stop != NULL ? stop : end;
    l->text = *at;
    l->n = (size_t)(stop - *at);
    if (l->n > 0 && l->text[l->n - 1] == '\r') {
        l->n--;
    }
    *at = after;
    return true;
}

/* "17  name": the number, and where the name begins; false: not of this form. */
static bool numbered(const struct line *l, uint32_t *number, size_t *name_at)
{
    size_t i = 0;
    uint32_t v = 0;
    while (i < l->n && i < 7 && l->text[i] >= '0' && l->text[i] <= '9') {
        v = v * 10 + (uint32_t)(l->text[i++] - '0');
    }
    if (i == 0 || i >= l->n || (l->text[i] != ' ' && l->text[i] != '\t' && l->text[i] != ':')) {
        return false;
    }
    while (i < l->n && (l->text[i] == ' ' || l->text[i] == '\t' || l->text[i] == ':')) {
        i++;
    }
    *number = v;
    *name_at = i;
    return true;
}

/* Lines, whether all are numbered, and the classes that makes. */
static int survey(const char *path, const char *text, size_t size, bool *all_numbered, uint32_t *n,
                  struct atoll_err *err)
{
    const char *at = text;
    struct line l;
    uint32_t lines = 0, highest = 0, number = 0;
    size_t name_at = 0;
    *all_numbered = true;
    while (next_line(&at, text + size, &l)) {
        if (l.n == 0) {
            if (at >= text + size) {
                break; /* an empty last line is no class */
            }
        } else if (numbered(&l, &number, &name_at)) {
            highest = number > highest ? number : highest;
        } else {
            *all_numbered = false;
        }
        if (++lines > LABELS_MAX || l.n > NAME_BYTES_MAX) {
            return atoll_fail(err, ATOLL_ELIMIT,
                              "%s: line %u: more than %d names, or one of more than %d bytes", path,
                              lines, LABELS_MAX, NAME_BYTES_MAX);
        }
    }
    if (*all_numbered && lines > 0 && highest >= LABELS_MAX) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: class number %u (below %d expected)", path,
                          highest, LABELS_MAX);
    }
    if (lines == 0) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: no names of classes", path);
    }
    *n = *all_numbered ? highest + 1 : lines;
    return 0;
}

static int fill(const char *path, const char *text, size_t size, bool all_numbered, uint32_t n,
                struct atoll_arena *a, const char **labels, struct atoll_err *err)
{
    const char *at = text;
    struct line l;
    uint32_t number = 0, line = 0;
    size_t name_at = 0;
    for (uint32_t i = 0; next_line(&at, text + size, &l);) {
        line++;
        if (all_numbered && l.n == 0) {
            continue;
        }
        if (all_numbered) {
            (void)numbered(&l, &number, &name_at);
        } else {
            number = i++;
            name_at = 0;
        }
        if (number >= n) {
            break; /* the empty last line */
        }
        if (labels[number] != NULL) {
            return atoll_fail(err, ATOLL_EINPUT, "%s: line %u: class %u a second time", path, line,
                              number);
        }
        labels[number] = atoll_arena_strndup(a, l.text + name_at, l.n - name_at);
        if (labels[number] == NULL) {
            return atoll_fail_nomem(err, "a label", l.n);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        labels[i] = labels[i] != NULL ? labels[i] : "";
    }
    return 0;
}

int atoll_labels_open(const char *path, struct atoll_arena *a, const char ***labels, uint32_t *n,
                      struct atoll_err *err)
{
    struct atoll_map map = {0};
    bool all_numbered = false;
    uint32_t count = 0;
    int rc = atoll_map_open(path, &map, err);
    if (rc != 0) {
        return rc;
    }
    rc = survey(path, (const char *)map.data, map.size, &all_numbered, &count, err);
    const char **names = rc == 0 ? atoll_arena_array(a, count, sizeof *names) : NULL;
    if (rc == 0 && names == NULL) {
        rc = atoll_fail_nomem(err, "labels", count * sizeof *names);
    }
    rc = rc ? rc : fill(path, (const char *)map.data, map.size, all_numbered, count, a, names, err);
    atoll_map_close(&map);
    if (rc == 0) {
        *labels = names;
        *n = count;
    }
    return rc;
}
