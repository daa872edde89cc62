/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of planning, models built and costed once:
 *  - the demo's sweep: 12 networks x 1..8 TPUs x every rule and partition, aim 1 s;
 *  - every network of the zoo x the 22 partitions of 8 and the exact search, building and costing
 *    included, aim 60 s.
 */
#include <atoll/plan.h>
#include <atoll/zoo.h>

#include <stdio.h>

#define NETWORKS_MAX 64

struct set {
    struct atoll_model *model[NETWORKS_MAX];
    struct atoll_cost *cost[NETWORKS_MAX];
    size_t n;
};

static int add(struct set *s, const char *name, struct atoll_err *err)
{
    int code = atoll_zoo_build(name, &s->model[s->n], err);
    if (code == 0) {
        code = atoll_cost_open(s->model[s->n], ATOLL_COMPILER_V16, &s->cost[s->n], err);
        s->n++;
    }
    return code;
}

static void finish(struct set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        atoll_cost_close(&s->cost[i]);
        atoll_model_close(&s->model[i]);
    }
    s->n = 0;
}

static struct atoll_plan_request request(const struct atoll_cost *const *model,
                                         const struct atoll_board *b, uint32_t tpus)
{
    struct atoll_plan_request r = atoll_plan_request_default();
    r.models = model;
    r.n_models = 1;
    r.board = b;
    r.tpus = tpus;
    return r;
}

static int solve(struct atoll_plan_request *r, const char *strategy, uint64_t *plans,
                 struct atoll_err *err)
{
    struct atoll_plan *p = NULL;
    r->strategy = strategy;
    const int code = atoll_plan_solve(r, &p, err);
    *plans += code == 0;
    atoll_plan_close(&p);
    return code;
}

/* Every rule and every partition, each a request of its own, as an experiment asks. */
static int solve_rules(const struct atoll_cost *model, const struct atoll_board *b, uint32_t tpus,
                       uint64_t *plans, struct atoll_err *err)
{
    static const char *const rules[] = {"single", "replicas", "vendor", "smallest_resident"};
    const struct atoll_cost *const models[1] = {model};
    struct atoll_plan_request r = request(models, b, tpus);
    char **partitions = atoll_plan_partitions(tpus, NULL);
    int code = partitions ? 0 : ATOLL_ENOMEM;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && code == 0; i++) {
        code = solve(&r, rules[i], plans, err);
    }
    for (char **parts = partitions; parts && *parts && code == 0; parts++) {
        char name[64];
        snprintf(name, sizeof name, "partition:%s", *parts);
        code = solve(&r, name, plans, err);
    }
    atoll_share_dirs_free(partitions);
    return code;
}

static int sweep(const struct set *s, const struct atoll_board *b, uint64_t *plans,
                 struct atoll_err *err)
{
    int code = 0;
    for (size_t i = 0; i < s->n && code == 0; i++) {
        for (uint32_t tpus = 1; tpus <= 8 && code == 0; tpus++) {
            code = solve_rules(s->cost[i], b, tpus, plans, err);
        }
    }
    return code;
}

/* Compares all strategies of each model on 8 TPUs; adds up the plans made. */
static int compare(const struct set *s, const struct atoll_board *b, uint64_t *plans,
                   struct atoll_err *err)
{
    int code = 0;
    for (size_t i = 0; i < s->n && code == 0; i++) {
        const struct atoll_cost *const models[1] = {s->cost[i]};
        const struct atoll_plan_request r = request(models, b, 8);
        struct atoll_comparison c = {0};
        code = atoll_plan_compare(&r, &c, err);
        *plans += c.n_plans;
        atoll_comparison_finish(&c);
    }
    return code;
}

static void print(const char *what, uint64_t plans, double seconds, double aim_s)
{
    printf("plan %-36s %6llu plans in %.3f s, aim %.0f s, ratio %.3f\n", what,
           (unsigned long long)plans, seconds, aim_s, seconds / aim_s);
}

static int measure(struct atoll_err *err)
{
    static const char *const twelve[] = {"mobilenet_v1", "mobilenet_v2", "resnet50",
                                         "resnet101",    "resnet152",    "googlenet",
                                         "inception_v3", "inception_v4", "efficientnet_lite4",
                                         "densenet201",  "xception",     "vgg16"};
    struct atoll_board *b = NULL;
    struct set s = {.n = 0};
    uint64_t plans = 0;
    int code = atoll_board_open("asus_crl_g18u", NULL, &b, err);
    for (size_t i = 0; i < sizeof twelve / sizeof twelve[0] && code == 0; i++) {
        code = add(&s, twelve[i], err);
    }
    uint64_t from_ns = atoll_now_ns();
    code = code ? code : sweep(&s, b, &plans, err);
    if (code == 0) {
        print("12 networks x 1..8 TPUs", plans, (double)(atoll_now_ns() - from_ns) / 1e9, 1);
    }
    finish(&s);
    size_t n = 0;
    const struct atoll_zoo_network *zoo = atoll_zoo_list(&n);
    plans = 0;
    from_ns = atoll_now_ns();
    for (size_t i = 0; i < n && i < NETWORKS_MAX && code == 0; i++) {
        code = add(&s, zoo[i].name, err);
    }
    code = code ? code : compare(&s, b, &plans, err);
    if (code == 0) {
        char what[64];
        snprintf(what, sizeof what, "zoo (%zu) x partitions of 8", n);
        print(what, plans, (double)(atoll_now_ns() - from_ns) / 1e9, 60);
    }
    finish(&s);
    atoll_board_close(&b);
    return code;
}

int main(void)
{
    struct atoll_err err = {0};
    const int code = measure(&err);
    if (code) {
        fprintf(stderr, "%s\n", err.text);
    }
    return atoll_code_exit(code);
}
