/* SPDX-License-Identifier: Apache-2.0 */
/* A model on the device `cpu` through the runner: hand-made plans, inputs by number, outputs
 * compared with those of the whole model in one interpreter. */
#ifndef ATOLL_CPU_FIXTURE_H
#define ATOLL_CPU_FIXTURE_H

#include "nn_fixture.h"

#include <atoll/bench.h>

#define CPU_STAGES_MAX 8

/* One pipeline of a model cut at positions in file order; stage s on replicas[s] TPUs of its own.
 */
struct cpu_plan {
    struct atoll_plan plan;
    struct atoll_pipeline pipeline;
    struct atoll_stage stages[CPU_STAGES_MAX];
    struct atoll_plan_model model;
    uint32_t *ops, tpus[ATOLL_TPUS_MAX];
};

static inline void cpu_plan_make(struct cpu_plan *p, const struct atoll_model *m, uint32_t n_stages,
                                 const uint32_t *cuts, const uint32_t *replicas)
{
    uint32_t tpu = 0;
    *p = (struct cpu_plan){.model = {.path = m->path}};
    p->ops = malloc((m->n_ops + 1) * sizeof *p->ops);
    assert_non_null(p->ops);
    for (uint32_t i = 0; i < m->n_ops; i++) {
        p->ops[i] = i;
    }
    for (uint32_t s = 0; s < n_stages; s++) {
        const uint32_t from = s == 0 ? 0 : cuts[s - 1];
        const uint32_t to = s + 1 == n_stages ? m->n_ops : cuts[s];
        p->stages[s].ops = p->ops + from;
        p->stages[s].n_ops = to - from;
        p->stages[s].tpus = p->tpus + tpu;
        p->stages[s].n_tpus = replicas != NULL ? replicas[s] : 1;
        for (uint32_t i = 0; i < p->stages[s].n_tpus; i++, tpu++) {
            p->tpus[tpu] = tpu;
        }
    }
    p->pipeline.stages = p->stages;
    p->pipeline.n_stages = n_stages;
    p->plan.strategy = "cuts";
    p->plan.tpus = p->plan.tpus_used = tpu;
    p->plan.models = &p->model;
    p->plan.n_models = 1;
    p->plan.pipelines = &p->pipeline;
    p->plan.n_pipelines = 1;
}

/* A board with many TPUs, so that the device has as many workers as a plan asks for. */
static inline struct atoll_device *cpu_open(const struct atoll_board *board)
{
    struct atoll_device *d = NULL;
    struct atoll_err err = {0};
    const struct atoll_device_opts o = {.board = board};
    fixture_ok(atoll_device_open("cpu", &o, &d, &err), &err);
    return d;
}

/* The inputs of inference `number`. */
static inline void cpu_inputs(const struct atoll_model *m, uint64_t number, void *const *in)
{
    struct atoll_rng rng;
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        const struct atoll_tensor *t = &m->tensors[m->inputs[i]];
        atoll_rng_seed(&rng, atoll_seed_mix(number, i));
        if (t->type == ATOLL_TYPE_FLOAT32) {
            for (size_t k = 0; k < t->bytes / 4; k++) {
                ((float *)in[i])[k] = (float)atoll_rng_unit(&rng);
            }
        } else {
            atoll_rng_bytes(&rng, in[i], (size_t)t->bytes);
        }
    }
}

/* The outputs of the whole model for the inputs 0..n-1, one behind the other. */
struct cpu_expected {
    const struct atoll_model *m;
    uint8_t *bytes;
    size_t each;
    uint64_t n, seen, next;
    bool in_order;
};

static inline void cpu_expect(struct cpu_expected *e, const struct atoll_runtime *rt,
                              const struct atoll_model *m, uint64_t n)
{
    struct atoll_interp *it = NULL;
    struct atoll_err err = {0};
    uint32_t k = 0;
    *e = (struct cpu_expected){.m = m, .n = n};
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        e->each += (size_t)m->tensors[m->outputs[i]].bytes;
    }
    e->bytes = malloc(e->each * n + 1);
    assert_non_null(e->bytes);
    fixture_ok(atoll_interp_open(rt, m, NULL, &it, &err), &err);
    const struct atoll_interp_tensor *in = atoll_interp_inputs(it, &k);
    void **pointers = calloc(k + 1, sizeof *pointers);
    for (uint32_t i = 0; i < k; i++) {
        pointers[i] = in[i].data;
    }
    const struct atoll_interp_tensor *out = atoll_interp_outputs(it, &k);
    for (uint64_t i = 0; i < n; i++) {
        uint8_t *to = e->bytes + i * e->each;
        cpu_inputs(m, i, pointers);
        fixture_ok(atoll_interp_reset(it, &err), &err);
        fixture_ok(atoll_interp_invoke(it, &err), &err);
        for (uint32_t o = 0; o < k; to += out[o].bytes, o++) {
            memcpy(to, out[o].data, out[o].bytes);
        }
    }
    free(pointers);
    atoll_interp_close(&it);
}

static inline int cpu_give(void *user, uint32_t pipeline, uint64_t number, void *const *in,
                           struct atoll_err *err)
{
    const struct cpu_expected *e = user;
    (void)pipeline;
    (void)err;
    cpu_inputs(e->m, number % e->n, in);
    return 0;
}

static inline int cpu_see(void *user, uint32_t pipeline, uint64_t number, const void *const *out,
                          struct atoll_err *err)
{
    struct cpu_expected *e = user;
    const uint8_t *expected = e->bytes + number % e->n * e->each;
    (void)pipeline;
    for (uint32_t o = 0; o < e->m->n_outputs; o++) {
        const size_t bytes = (size_t)e->m->tensors[e->m->outputs[o]].bytes;
        if (memcmp(out[o], expected, bytes) != 0) {
            return atoll_fail(err, ATOLL_ENO, "output %u of inference %llu differs", o,
                              (unsigned long long)number);
        }
        expected += bytes;
    }
    e->in_order = e->in_order && number == e->next;
    e->next = number + 1;
    e->seen++;
    return 0;
}

/* Runs and compares; returns the result for figures. */
static inline struct atoll_run_result cpu_run(struct atoll_device *d, const struct cpu_plan *p,
                                              const struct atoll_cost *cost, struct cpu_expected *e,
                                              struct atoll_workload w)
{
    struct atoll_run_result r = {0};
    struct atoll_err err = {0};
    const struct atoll_run_tensors tensors = {cpu_give, cpu_see, e};
    const struct atoll_run_request q = {.device = d,
                                        .plan = &p->plan,
                                        .models = &cost,
                                        .tensors = e != NULL ? &tensors : NULL,
                                        .workload = w,
                                        .seed = 5};
    if (e != NULL) {
        e->seen = e->next = 0;
        e->in_order = true;
    }
    fixture_ok(atoll_run(&q, &r, &err), &err);
    return r;
}

#endif
