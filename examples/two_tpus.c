/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two Edge TPUs: what does the second one bring?
 *
 * Builds a network of the zoo (or opens a .tflite file given as argument), plans it on two TPUs of
 * a board in three ways, runs each plan on the simulated board under the simulated meter, and
 * prints what was planned beside what ran. Public headers only; every object has one owner and is
 * closed on every path.
 *
 *   cc two_tpus.c $(pkg-config --cflags --libs atoll) -o two_tpus && ./two_tpus zoo:resnet50
 */
#include <atoll/bench.h>
#include <atoll/zoo.h>

#include <stdio.h>

/* A model with its costs, and the board that everything is asked about. */
struct bench {
    struct atoll_model *model;
    struct atoll_cost *cost;
    struct atoll_board *board;
};

static int open_bench(struct bench *b, const char *model, struct atoll_err *err)
{
    int code = atoll_zoo_open(model, NULL, &b->model, err);
    code = code ? code : atoll_cost_open(b->model, ATOLL_COMPILER_V16, &b->cost, err);
    return code ? code : atoll_board_open("asus_crl_g18u", NULL, &b->board, err);
}

static void close_bench(struct bench *b)
{
    atoll_board_close(&b->board);
    atoll_cost_close(&b->cost);
    atoll_model_close(&b->model);
}

/* Opens the simulated board and a meter on its rails, runs 500 inferences back to back. */
static int simulate(const struct bench *b, const struct atoll_plan *plan,
                    struct atoll_run_result *result, struct atoll_err *err)
{
    const struct atoll_cost *const models[1] = {b->cost};
    const struct atoll_device_opts device_opts = {.board = b->board, .seed = 1};
    struct atoll_meter_rail rails[ATOLL_METER_RAILS_MAX];
    struct atoll_meter_opts meter_opts = {.rails = rails, .seed = 1};
    for (; meter_opts.n_rails < b->board->n_rails; meter_opts.n_rails++) {
        rails[meter_opts.n_rails].name = b->board->rails[meter_opts.n_rails].name;
        rails[meter_opts.n_rails].volt = b->board->rails[meter_opts.n_rails].volt;
    }
    struct atoll_device *device = NULL;
    struct atoll_meter *meter = NULL;
    int code = atoll_device_open("sim", &device_opts, &device, err);
    code = code ? code : atoll_meter_open("synth", &meter_opts, &meter, err);
    if (code == 0) {
        const struct atoll_run_request request = {
            .device = device,
            .meter = meter,
            .plan = plan,
            .models = models,
            .workload = {.mode = ATOLL_WORK_SATURATED, .count = 500},
            .seed = 1,
        };
        code = atoll_run(&request, result, err);
    }
    atoll_meter_close(&meter);
    atoll_device_close(&device);
    return code;
}

/* One strategy: planned (computed), then run (simulated). */
static int try_strategy(const struct bench *b, const char *strategy, uint32_t tpus,
                        struct atoll_err *err)
{
    const struct atoll_cost *const models[1] = {b->cost};
    struct atoll_plan_request request = atoll_plan_request_default();
    request.models = models;
    request.n_models = 1;
    request.board = b->board;
    request.tpus = tpus;
    request.strategy = strategy;
    struct atoll_plan *plan = NULL;
    struct atoll_run_result result = {.n = 0};
    int code = atoll_plan_solve(&request, &plan, err);
    if (code == 0 && plan->skipped) {
        printf("%-10s does not apply: %s\n", strategy, plan->skipped);
    } else if (code == 0) {
        code = simulate(b, plan, &result, err);
        if (code == 0) {
            printf("%-10s %4u  %10.3f  %12.1f  %12.1f  %10.2f +/- %.2f\n", strategy,
                   plan->tpus_used, plan->latency_us / 1000, plan->throughput_hz,
                   result.throughput_hz, result.energy_mj, result.energy_u95_mj);
            printf("           %s\n", plan->bottleneck);
        }
    }
    atoll_run_result_finish(&result);
    atoll_plan_close(&plan);
    return code;
}

int main(int argc, char **argv)
{
    struct bench b = {.model = NULL};
    struct atoll_err err = {0};
    int code = open_bench(&b, argc > 1 ? argv[1] : "zoo:resnet50", &err);
    if (code == 0) {
        printf("%s on %s\n", b.model->path, b.board->title);
        printf("strategy   TPUs  latency ms  planned 1/s  simulated 1/s  energy mJ (simulated)\n");
        code = try_strategy(&b, "single", 1, &err);
        code = code ? code : try_strategy(&b, "replicas", 2, &err);
        code = code ? code : try_strategy(&b, "vendor", 2, &err);
    }
    if (code) {
        fprintf(stderr, "two_tpus: %s\n", err.text);
    }
    close_bench(&b);
    return atoll_code_exit(code);
}
