/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime and the runner as ratios within one run: evaluation against the runtime's own loop
 * (aim: within 3 %), and what handing an item to the next stage costs (aim: below 20 us). */
#include <atoll/bench.h>
#include <atoll/nn.h>
#include <atoll/zoo.h>

#include <stdlib.h>

enum { IMAGES = 1500, REPEATS = 5, PIPE_RUNS = 2000 };

static struct atoll_err err;

static void need(int rc)
{
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

/* The runtime's own loop on one thread: invoke again and again. */
static double own_loop_hz(const struct atoll_runtime *rt, const struct atoll_model *m)
{
    struct atoll_interp *it = NULL;
    need(atoll_interp_open(rt, m, NULL, &it, &err));
    need(atoll_interp_warm_up(it, 20, &err));
    const uint64_t from = atoll_now_ns();
    for (int i = 0; i < IMAGES; i++) {
        need(atoll_interp_invoke(it, &err));
    }
    const double seconds = (double)(atoll_now_ns() - from) / 1e9;
    atoll_interp_close(&it);
    return IMAGES / seconds;
}

static double eval_hz(const struct atoll_runtime *rt, const struct atoll_model *m,
                      const struct atoll_dataset *d)
{
    struct atoll_eval e = {0};
    const struct atoll_eval_request q = {
        .rt = rt, .model = m, .data = d, .part = ATOLL_PART_TEST, .threads = 1};
    need(atoll_eval_run(&q, &e, &err));
    const double hz = e.images_per_s;
    atoll_eval_finish(&e);
    return hz;
}

static void bench_eval(const struct atoll_runtime *rt)
{
    struct atoll_model *m = NULL;
    struct atoll_dataset *d = NULL;
    struct atoll_data_opts o = atoll_data_opts_default();
    double ratios[REPEATS], own = 0;
    o.parts = 1u << ATOLL_PART_TEST;
    o.n_generated[ATOLL_PART_TEST] = IMAGES;
    need(atoll_zoo_build("cifar_mobilenet_v2?classes=24", &m, &err));
    need(atoll_dataset_open("generated", &o, &d, &err));
    for (int i = 0; i < REPEATS; i++) {
        own = own_loop_hz(rt, m);
        ratios[i] = eval_hz(rt, m, d) / own;
    }
    atoll_sort(ratios, REPEATS);
    (void)printf("eval_of_own_loop_ratio %.4f (best %.4f; own loop %.0f/s, 1 thread)\n",
                 ratios[REPEATS / 2], ratios[REPEATS - 1], own);
    atoll_dataset_close(&d);
    atoll_model_close(&m);
}

/* Median latency of a tiny network in `stages` pieces, one input at a time. */
static double latency_us(const struct atoll_model *m, const struct atoll_cost *cost,
                         uint32_t stages)
{
    struct atoll_stage stage[8] = {0};
    struct atoll_pipeline pipeline = {.stages = stage, .n_stages = stages};
    struct atoll_plan plan = {
        .strategy = "cuts", .pipelines = &pipeline, .n_pipelines = 1, .tpus = stages};
    const struct atoll_board board = {.name = "bench", .n_tpus = 8};
    const struct atoll_device_opts o = {.board = &board};
    uint32_t ops[64], tpus[8];
    struct atoll_device *d = NULL;
    struct atoll_run_result r = {0};
    for (uint32_t i = 0; i < 64; i++) {
        ops[i] = i;
        tpus[i % 8] = i % 8;
    }
    for (uint32_t s = 0; s < stages; s++) {
        stage[s].ops = ops + s * m->n_ops / stages;
        stage[s].n_ops = (s + 1) * m->n_ops / stages - s * m->n_ops / stages;
        stage[s].tpus = &tpus[s];
        stage[s].n_tpus = 1;
    }
    need(atoll_device_open("cpu", &o, &d, &err));
    const struct atoll_run_request q = {.device = d,
                                        .plan = &plan,
                                        .models = &cost,
                                        .workload = {ATOLL_WORK_LATENCY, 0, PIPE_RUNS}};
    need(atoll_run(&q, &r, &err));
    double busy = 0;
    for (uint32_t i = 0; i < r.n_stages; i++) {
        busy += r.stages[i].busy_us_mean;
    }
    const double us = r.p50_us.value;
    (void)printf("pipeline_%u_stages latency %.1f us, of it busy %.1f us\n", stages, us, busy);
    atoll_run_result_finish(&r);
    atoll_device_close(&d);
    return us;
}

static void bench_hand_over(void)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *cost = NULL;
    need(atoll_zoo_build("dense_chain?layers=8&units=16&inputs=16", &m, &err));
    need(atoll_cost_open(m, ATOLL_COMPILER_V16, &cost, &err));
    const double one = latency_us(m, cost, 1), many = latency_us(m, cost, 8);
    (void)printf("hand_over_us %.2f (each further stage of 8, its own call included)\n",
                 (many - one) / 7);
    atoll_cost_close(&cost);
    atoll_model_close(&m);
}

int main(void)
{
    const struct atoll_runtime *rt = NULL;
    if (atoll_runtime_open(NULL, &rt, &err) != 0) {
        (void)printf("skipped: %s\n", err.text);
        return 77;
    }
    bench_eval(rt);
    bench_hand_over();
    return 0;
}
