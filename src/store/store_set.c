/* SPDX-License-Identifier: Apache-2.0 */
/* The runs that an experiment has already: open addressing over the natural key. */
#include "store_internal.h"

#include <string.h>

struct entry {
    uint64_t hash;
    const char *model, *strategy, *workload;
    int64_t tpus, repeat;
};
struct atoll_run_set {
    struct atoll_arena arena;
    const struct entry **slots; ///< NULL: free; capacity is a power of two, at most half full
    size_t capacity, count;
};

static uint64_t hash_of(const struct atoll_run_row *r)
{
    const int64_t numbers[2] = {r->tpus, r->repeat};
    uint64_t h = atoll_fnv1a(numbers, sizeof numbers, 0);
    h = atoll_fnv1a(r->model, strlen(r->model), h);
    h = atoll_fnv1a(r->strategy, strlen(r->strategy), h);
    return atoll_fnv1a(r->workload, strlen(r->workload), h);
}

static bool same(const struct entry *e, uint64_t hash, const struct atoll_run_row *r)
{
    return e->hash == hash && e->tpus == r->tpus && e->repeat == r->repeat &&
           strcmp(e->model, r->model) == 0 && strcmp(e->strategy, r->strategy) == 0 &&
           strcmp(e->workload, r->workload) == 0;
}

/* The slot of a key, or the free slot where it belongs. */
static size_t find(const struct atoll_run_set *set, uint64_t hash, const struct atoll_run_row *r)
{
    size_t i = (size_t)hash & (set->capacity - 1);
    while (set->slots[i] && (!r || !same(set->slots[i], hash, r))) {
        i = (i + 1) & (set->capacity - 1);
    }
    return i;
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
            set->slots[find(set, old.slots[i]->hash, NULL)] = old.slots[i];
        }
    }
    atoll_free((void *)old.slots);
    return true;
}

struct filling {
    struct atoll_run_set *set;
    struct atoll_err *err;
};
static int add(void *user, const struct atoll_run_row *r)
{
    struct filling *f = user;
    struct atoll_run_set *set = f->set;
    if (2 * (set->count + 1) > set->capacity && !grow(set)) {
        return atoll_fail_nomem(f->err, "the set of runs", set->capacity * sizeof *set->slots);
    }
    struct entry *e = atoll_arena_alloc(&set->arena, sizeof *e);
    if (!e) {
        return atoll_fail_nomem(f->err, "the set of runs", sizeof *e);
    }
    e->hash = hash_of(r);
    e->tpus = r->tpus;
    e->repeat = r->repeat;
    e->model = atoll_arena_strndup(&set->arena, r->model, strlen(r->model));
    e->strategy = atoll_arena_strndup(&set->arena, r->strategy, strlen(r->strategy));
    e->workload = atoll_arena_strndup(&set->arena, r->workload, strlen(r->workload));
    if (!e->model || !e->strategy || !e->workload) {
        return atoll_fail_nomem(f->err, "the set of runs", strlen(r->model));
    }
    set->slots[find(set, e->hash, NULL)] = e;
    set->count++;
    return 0;
}

int atoll_store_run_set(struct atoll_store *s, const char *experiment, struct atoll_run_set **out,
                        struct atoll_err *err)
{
    struct filling f = {.set = atoll_calloc(1, sizeof *f.set), .err = err};
    if (!f.set) {
        return atoll_fail_nomem(err, "the set of runs", sizeof *f.set);
    }
    atoll_arena_init(&f.set->arena);
    int rc = grow(f.set) ? 0 : atoll_fail_nomem(err, "the set of runs", 0);
    rc = rc ? rc : atoll_store_each_run(s, experiment, add, &f, err);
    if (rc) {
        atoll_run_set_close(&f.set);
        return rc;
    }
    *out = f.set;
    return 0;
}

bool atoll_run_set_has(const struct atoll_run_set *set, const struct atoll_run_row *key)
{
    return set->slots[find(set, hash_of(key), key)] != NULL;
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
