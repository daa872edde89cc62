/* SPDX-License-Identifier: Apache-2.0 */
/* Several models on one TPU: compiled together they share the cache, compiled apart they evict each
 * other. */
#include "cost_internal.h"

/** The whole model in file order, with at most `room_bytes` of the cache. */
static int whole(const struct atoll_cost *c, uint64_t room_bytes, struct atoll_program *p,
                 struct atoll_err *err)
{
    const uint32_t n = c->model->n_ops;
    uint32_t *ops = atoll_calloc(n + 1u, sizeof *ops);
    if (ops == NULL) {
        return atoll_fail_nomem(err, "operators of a model", n * sizeof *ops);
    }
    for (uint32_t i = 0; i < n; i++) {
        ops[i] = i;
    }
    const int rc = atoll__cost_program_in(c, ops, n, room_bytes, p, err);
    atoll_free(ops);
    return rc;
}

int atoll_cost_programs_together(const struct atoll_cost *const *c, uint32_t n,
                                 struct atoll_program *p, struct atoll_err *err)
{
    uint64_t room = UINT64_MAX;
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct atoll_program alone = {0};
        rc = whole(c[i], UINT64_MAX, &alone, err);
        if (rc == 0 && alone.budget_bytes < room) {
            room = alone.budget_bytes;
        }
        atoll_program_finish(&alone);
    }
    for (uint32_t i = 0; i < n; i++) {
        p[i] = (struct atoll_program){0};
    }
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        rc = whole(c[i], room, &p[i], err);
        room -= p[i].on_chip_bytes;
    }
    for (uint32_t i = 0; i < n && rc != 0; i++) {
        atoll_program_finish(&p[i]);
    }
    return rc;
}

void atoll_cost_shared(const struct atoll_stage_cost *together,
                       const struct atoll_stage_cost *apart, const double *share_frac, uint32_t n,
                       struct atoll_shared_cost *out)
{
    *out = (struct atoll_shared_cost){0};
    for (uint32_t i = 0; i < n; i++) {
        const double share = share_frac[i];
        out->together_us += share * together[i].latency_us;
        out->apart_random_us += share * (apart[i].latency_us + (1.0 - share) * apart[i].load_us);
        out->apart_turns_us += share * (apart[i].latency_us + (n > 1 ? apart[i].load_us : 0.0));
        out->reload_us += share * apart[i].load_us;
    }
}
