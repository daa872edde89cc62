/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts and segment costs of a model do not depend on the number of TPUs: what one solve has made
 * waits in the planner for the next (one TPU more, another objective of the same figure).
 */
#include <string.h>

#include "exact.h"

static void move_ground(struct atoll__exact *to, struct atoll__exact *from)
{
    to->dag = from->dag;
    to->sets_max = from->sets_max;
    to->full = from->full;
    to->coarse = from->coarse;
    to->relaxed = from->relaxed;
    to->spans_full = from->spans_full;
    to->spans_coarse = from->spans_coarse;
    to->spans_relaxed = from->spans_relaxed;
    to->is_glued = from->is_glued;
    to->glued_work_us = from->glued_work_us;
    to->memo_full = from->memo_full;
    to->memo_coarse = from->memo_coarse;
    memset(&from->dag, 0, sizeof from->dag);
    memset(&from->full, 0, sizeof from->full);
    memset(&from->coarse, 0, sizeof from->coarse);
    memset(&from->relaxed, 0, sizeof from->relaxed);
    memset(&from->spans_full, 0, sizeof from->spans_full);
    memset(&from->spans_coarse, 0, sizeof from->spans_coarse);
    memset(&from->spans_relaxed, 0, sizeof from->spans_relaxed);
    memset(&from->memo_full, 0, sizeof from->memo_full);
    memset(&from->memo_coarse, 0, sizeof from->memo_coarse);
}

/* NULL: nothing waits for such a solve, nor may. */
static struct atoll__exact **place_of(struct atoll__exact *x)
{
    struct atoll__planner *pl = x->draft->planner;
    return pl->stash && !x->keep.together
               ? &pl->stash[x->model * ATOLL__FLOOR_KINDS + x->floor_kind]
               : NULL;
}

bool atoll__exact_unstash(struct atoll__exact *x)
{
    struct atoll__exact **place = place_of(x);
    if (!place || !*place || (*place)->full.n == 0) {
        return false;
    }
    move_ground(x, *place);
    return true;
}

void atoll__exact_stash(struct atoll__exact *x)
{
    struct atoll__exact **place = place_of(x);
    if (!place || x->full.n == 0 || x->spans_coarse.start == NULL) {
        return;
    }
    if (!*place) {
        *place = atoll_calloc(1, sizeof **place);
    }
    if (*place && (*place)->full.n == 0) {
        move_ground(*place, x);
    }
}

void atoll__exact_stash_free(struct atoll__exact **stash, uint32_t n_models)
{
    for (uint32_t i = 0; stash && i < n_models * ATOLL__FLOOR_KINDS; i++) {
        if (stash[i]) {
            atoll__exact_free_ground(stash[i]);
            atoll_free(stash[i]);
        }
    }
    atoll_free(stash);
}
