/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the exact search, in processor time, models built and costed before:
 *  - the networks of the aims on eight TPUs, each objective, with the gap that was left;
 *  - growth with the operators: residual and dense networks of all depths on eight TPUs;
 *  - growth with the TPUs: one network on 1 to 64.
 * Options are networks to measure instead, e.g. "bench_exact inception_v4".
 */
#include <atoll/plan.h>
#include <atoll/zoo.h>

#include <stdio.h>
#include <time.h>

static double cpu_ms(void)
{
    return (double)clock() * 1e3 / CLOCKS_PER_SEC;
}

static int solve(const struct atoll_cost *c, const struct atoll_board *b, uint32_t tpus,
                 enum atoll_objective o, double aim_ms, struct atoll_err *err)
{
    const struct atoll_cost *const models[1] = {c};
    struct atoll_plan_request r = atoll_plan_request_default();
    r.models = models;
    r.n_models = 1;
    r.board = b;
    r.tpus = tpus;
    r.strategy = "exact";
    r.objective = o;
    struct atoll_plan *p = NULL;
    const double from_ms = cpu_ms();
    const int code = atoll_plan_solve(&r, &p, err);
    const double ms = cpu_ms() - from_ms;
    if (code == 0) {
        printf("  %2u TPUs %-10s %8.1f ms", tpus, atoll_objective_name(o), ms);
        if (aim_ms > 0) {
            printf(", aim %.0f ms, ratio %.2f", aim_ms, ms / aim_ms);
        }
        printf(", gap %.2f %%, %.1f /s, %.3f ms, %.2f mJ\n", 100 * p->gap_frac, p->throughput_hz,
               p->latency_us / 1e3, p->energy_mj);
    }
    atoll_plan_close(&p);
    return code;
}

/* One network: every objective on `tpus` TPUs, or throughput on 1, 2, 4 ... TPUs. */
static int measure(const char *name, const struct atoll_board *b, uint32_t tpus, bool growth,
                   double aim_ms, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *c = NULL;
    int code = atoll_zoo_build(name, &m, err);
    code = code ? code : atoll_cost_open(m, ATOLL_COMPILER_V16, &c, err);
    if (code == 0) {
        printf("%s, %u operators\n", name, m->n_ops);
    }
    for (uint32_t k = 1; code == 0 && growth && k <= tpus; k *= 2) {
        code = solve(c, b, k, ATOLL_OBJECTIVE_THROUGHPUT, aim_ms, err);
    }
    for (int o = 0; code == 0 && !growth && o < 3; o++) {
        code = solve(c, b, tpus, (enum atoll_objective)o, aim_ms, err);
    }
    atoll_cost_close(&c);
    atoll_model_close(&m);
    return code;
}

static int measure_all(struct atoll_board *b, struct atoll_err *err)
{
    static const struct {
        const char *name;
        double aim_ms;
    } aims[] = {{"resnet152", 50}, {"inception_resnet_v2", 50}, {"densenet201", 200}};
    static const char *const sizes[] = {"resnet18",    "resnet50",    "resnet101",
                                        "densenet121", "densenet169", "inception_v4"};
    int code = 0;
    for (size_t i = 0; i < sizeof aims / sizeof aims[0] && code == 0; i++) {
        code = measure(aims[i].name, b, 8, false, aims[i].aim_ms, err);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && code == 0; i++) {
        code = measure(sizes[i], b, 8, false, 0, err);
    }
    b->n_tpus = 64; /* a card that nobody sells: how the search grows */
    return code ? code : measure("resnet50", b, 64, true, 0, err);
}

int main(int argc, char **argv)
{
    struct atoll_err err = {0};
    struct atoll_board *b = NULL;
    int code = atoll_board_open("asus_crl_g18u", NULL, &b, &err);
    for (int i = 1; i < argc && code == 0; i++) {
        code = measure(argv[i], b, 8, false, 0, &err);
    }
    if (code == 0 && argc == 1) {
        code = measure_all(b, &err);
    }
    atoll_board_close(&b);
    if (code) {
        fprintf(stderr, "%s\n", err.text);
    }
    return atoll_code_exit(code);
}
