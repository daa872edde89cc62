/* SPDX-License-Identifier: Apache-2.0 */
/* The runs that an experiment has already: open addressing over the text of the natural key. */
#include "store_internal.h"

#include <string.h>

struct atoll_run_set {
    struct atoll_arena arena;
    const char **slots; ///< capacity entries, NULL free; capacity is a power of two, at most half full
    size_t capacity, count;
};

static bool key_text(const struct atoll_run_row *r, struct atoll_buf *out)
{
    out->size = 0;
    atoll_buf_printf(out, "%s\x1f%s\x1f%lld\x1f%s\x1f%lld", r->model, r->strategy, (long long)r->tpus, r->workload, (long long)r->repeat);
    return !out->failed;
}

static const char **find(const struct atoll_run_set *set, const char *key, size_t n)
{
    size_t i = (size_t)atoll_fnv1a(key, n, 0) & (set->capacity - 1);
    while (set->slots[i] && strcmp(set->slots[i], key) != 0) {
        i = (i + 1) & (set->capacity - 1);
    }
    return &set->slots[i];
}

static bool grow(struct atoll_run_set *set)
{
    struct atoll_run_set old = *set;
    set->capacity = old.capacity ? old.capacity * 2 : 64;
    set->slots = atoll_calloc(set->capacity, sizeof *set->slots);
    if (!set->slots) {
        *set = old;
        return false;
    }
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.slots[i]) {
            *find(set, old.slots[i], strlen(old.slots[i])) = old.slots[i];
        }
    }
    atoll_free((void *)old.slots);
    return true;
}

struct filling {
    struct atoll_run_set *set;
    struct atoll_buf text;
    struct atoll_err *err;
};
static int add(void *user, const struct atoll_run_row *r)
{
    struct filling *f = user;
    struct atoll_run_set *set = f->set;
    if (2 * (set->count + 1) > set->capacity && !grow(set)) {
        return atoll_fail_nomem(f->err, "the set of runs", set->capacity * sizeof *set->slots);
    }
    const char *copy = key_text(r, &f->text) ? atoll_arena_strndup(&set->arena, f->text.data, f->text.size) : NULL;
    if (!copy) {
        return atoll_fail_nomem(f->err, "the set of runs", f->text.size);
    }
    *find(set, copy, f->text.size) = copy;
    set->count++;
    return 0;
}

int atoll_store_run_set(struct atoll_store *s, const char *experiment, struct atoll_run_set **out, struct atoll_err *err)
{
    struct filling f = {.set = atoll_calloc(1, sizeof *f.set), .err = err};
    if (!f.set) {
        return atoll_fail_nomem(err, "the set of runs", sizeof *f.set);
    }
    atoll_arena_init(&f.set->arena);
    int rc = grow(f.set) ? 0 : atoll_fail_nomem(err, "the set of runs", 0);
    rc = rc ? rc : atoll_store_each_run(s, experiment, add, &f, err);
    atoll_buf_finish(&f.text);
    if (rc) {
        atoll_run_set_close(&f.set);
        return rc;
    }
    *out = f.set;
    return 0;
}

bool atoll_run_set_has(const struct atoll_run_set *set, const struct atoll_run_row *key)
{
    struct atoll_buf text = {0};
    const bool has = key_text(key, &text) && *find(set, text.data, text.size) != NULL;
    atoll_buf_finish(&text);
    return has;
}

size_t atoll_run_set_count(const struct atoll_run_set *set)
{
    return set->count;
}

void atoll_run_set_close(struct atoll_run_set **set)
{
    if (!set || !*set) {
        return;
    }
    atoll_arena_finish(&(*set)->arena);
    atoll_free((void *)(*set)->slots);
    atoll_free(*set);
    *set = NULL;
}
