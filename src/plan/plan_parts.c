/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions of a number of TPUs: all of them, and the text form "4+2+2". */
#include "plan_internal.h"

#include <string.h>

/* p(32) = 8349 partitions; beyond, a list helps nobody. */
#define PARTITIONS_OF_MAX 32u

static char *parts_text(const uint32_t *parts, uint32_t n)
{
    struct atoll_buf b = {0};
    for (uint32_t i = 0; i < n; i++) {
        atoll_buf_printf(&b, i ? "+%u" : "%u", parts[i]);
    }
    return atoll_buf_take(&b, NULL);
}

struct list {
    char **texts;
    size_t n, cap;
    bool failed;
};

/* Room for one more text and the NULL that ends the list. */
static void list_add(struct list *l, char *text)
{
    if (!text || atoll_grow((void **)&l->texts, &l->cap, l->n + 2, sizeof *l->texts)) {
        atoll_free(text);
        l->failed = true;
        return;
    }
    l->texts[l->n++] = text;
    l->texts[l->n] = NULL;
}

/* All ways to write `left` as exactly `more` parts of at most `top`, large parts first. */
static void enumerate(struct list *l, uint32_t *parts, uint32_t have, uint32_t left, uint32_t more,
                      uint32_t top)
{
    if (more == 0) {
        list_add(l, parts_text(parts, have));
        return;
    }
    for (uint32_t part = left - (more - 1) < top ? left - (more - 1) : top;
         part * more >= left && part > 0 && !l->failed; part--) {
        parts[have] = part;
        enumerate(l, parts, have + 1, left - part, more - 1, part);
    }
}

char **atoll_plan_partitions(uint32_t n, uint32_t *count)
{
    struct list l = {0};
    uint32_t parts[PARTITIONS_OF_MAX];
    if (n == 0 || n > PARTITIONS_OF_MAX) {
        return NULL;
    }
    for (uint32_t groups = 1; groups <= n; groups++) {
        enumerate(&l, parts, 0, n, groups, n);
    }
    if (l.failed) {
        atoll_share_dirs_free(l.texts);
        return NULL;
    }
    if (count) {
        *count = (uint32_t)l.n;
    }
    return l.texts;
}

int atoll__plan_parse_parts(const char *text, uint32_t *parts, uint32_t *n, struct atoll_err *err)
{
    uint32_t have = 0;
    const char *at = text;
    while (have < ATOLL_TPUS_MAX) {
        uint32_t v = 0;
        const char *begin = at;
        while (*at >= '0' && *at <= '9' && v <= ATOLL_TPUS_MAX) {
            v = v * 10 + (uint32_t)(*at++ - '0');
        }
        if (at == begin || v == 0 || v > ATOLL_TPUS_MAX || (*at != '+' && *at != '\0')) {
            break;
        }
        parts[have++] = v;
        if (*at++ == '\0') {
            *n = have;
            return 0;
        }
    }
    return atoll_fail(err, ATOLL_EUSAGE,
                      "partition \"%s\": expected numbers from 1 to %u joined by '+', for example "
                      "partition:4+2+2",
                      text, ATOLL_TPUS_MAX);
}
