/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of plan.json on any JSON: what it accepts keeps the promises of plan.h and is written
 * and read again to the same plan; a failing allocation gives ATOLL_ENOMEM or the same answer. */
#include "fuzz.h"

#include <atoll/plan.h>

#include <string.h>

static void check_pipeline(const struct atoll_plan *p, const struct atoll_pipeline *pipe)
{
    FUZZ_CHECK(pipe->model < p->n_models && pipe->n_stages > 0);
    uint64_t n_ops = 0;
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        const struct atoll_stage *st = &pipe->stages[s];
        FUZZ_CHECK(st->n_ops > 0 && st->n_tpus > 0);
        n_ops += st->n_ops;
        for (uint32_t i = 0; i < st->n_tpus; i++) {
            FUZZ_CHECK(st->tpus[i] < ATOLL_TPUS_MAX);
        }
    }
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        for (uint32_t i = 0; i < pipe->stages[s].n_ops; i++) {
            FUZZ_CHECK(pipe->stages[s].ops[i] < n_ops);
        }
    }
}

static void check_again(const struct atoll_plan *p)
{
    struct atoll_plan *back = NULL;
    struct atoll_err err = {0};
    json_t *once = atoll_plan_to_json(p);
    FUZZ_CHECK(once != NULL);
    FUZZ_CHECK(atoll_plan_from_json("again", once, &back, &err) == 0);
    json_t *twice = atoll_plan_to_json(back);
    FUZZ_CHECK(json_equal(once, twice));
    json_decref(once);
    json_decref(twice);
    atoll_plan_close(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct atoll_plan *p = NULL;
    struct atoll_err err = {0};
    json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (!j) {
        return 0;
    }
    const int code = atoll_plan_from_json("fuzz", j, &p, &err);
    FUZZ_CHECK((code == 0) == (p != NULL));
    if (code == 0) {
        FUZZ_CHECK(p->strategy != NULL && p->board != NULL && p->tpus >= p->tpus_used);
        for (uint32_t i = 0; i < p->n_pipelines; i++) {
            check_pipeline(p, &p->pipelines[i]);
        }
        check_again(p);
    } else {
        FUZZ_CHECK(err.text[0] != '\0');
    }
    atoll_plan_close(&p);
    struct atoll_plan *second = NULL;
    atoll_alloc_fail_after(1 + size % 40);
    const int failed = atoll_plan_from_json("fuzz", j, &second, NULL);
    atoll_alloc_fail_after(0);
    FUZZ_CHECK(failed == ATOLL_ENOMEM || failed == code);
    atoll_plan_close(&second);
    json_decref(j);
    return 0;
}
