/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of costing: a whole network (aim 20 us; a planner asks millions of times), and all segments
 * of ResNet-152 between block boundaries (aim 20 ms). Preparing a model (once) is shown beside.
 */
#include <atoll/cost.h>
#include <atoll/zoo.h>

#include <stdio.h>

#define WHOLE_AIM_US 20.0
#define SEGMENTS_AIM_MS 20.0
#define REPEATS 200
#define BLOCKS_MAX 256

static int whole(const struct atoll_board *b, const char *name, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *c = NULL;
    struct atoll_stage_cost out = {0};
    int rc = atoll_zoo_build(name, &m, err);
    const uint64_t open_ns = atoll_now_ns();
    rc = rc == 0 ? atoll_cost_open(m, ATOLL_COMPILER_V16, &c, err) : rc;
    uint32_t *ops = rc == 0 ? atoll_calloc(m->n_ops, sizeof *ops) : NULL;
    for (uint32_t i = 0; ops != NULL && i < m->n_ops; i++) {
        ops[i] = i;
    }
    const uint64_t from_ns = atoll_now_ns();
    for (int i = 0; i < REPEATS && rc == 0; i++) {
        rc = atoll_cost_stage(c, b, NULL, ops, m->n_ops, &out, err);
    }
    if (rc == 0) {
        const double us = (double)(atoll_now_ns() - from_ns) / 1e3 / REPEATS;
        printf(
            "cost %-16s %4u operators: prepare %.0f us, whole network %.2f us, aim %.0f us, ratio "
            "%.3f\n",
            name, m->n_ops, (double)(from_ns - open_ns) / 1e3, us, WHOLE_AIM_US, us / WHOLE_AIM_US);
    }
    atoll_free(ops);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    return rc;
}

/** Positions in file order after each residual addition. */
static uint32_t boundaries(const struct atoll_model *m, uint32_t *at)
{
    uint32_t n = 0;
    at[n++] = 0;
    for (uint32_t i = 0; i < m->n_ops && n < BLOCKS_MAX - 1; i++) {
        if (m->ops[i].code == ATOLL_OP_ADD) {
            at[n++] = i + 1u;
        }
    }
    at[n++] = m->n_ops;
    return n;
}

static int segments(const struct atoll_board *b, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *c = NULL;
    struct atoll_stage_cost out;
    uint32_t at[BLOCKS_MAX];
    uint32_t count = 0;
    int rc = atoll_zoo_build("resnet152", &m, err);
    rc = rc == 0 ? atoll_cost_open(m, ATOLL_COMPILER_V16, &c, err) : rc;
    uint32_t *ops = rc == 0 ? atoll_calloc(m->n_ops, sizeof *ops) : NULL;
    for (uint32_t i = 0; ops != NULL && i < m->n_ops; i++) {
        ops[i] = i;
    }
    const uint32_t n = rc == 0 ? boundaries(m, at) : 0;
    const uint64_t from_ns = atoll_now_ns();
    for (uint32_t i = 0; i + 1u < n && rc == 0; i++) {
        for (uint32_t j = i + 1u; j < n && rc == 0; j++) {
            rc = atoll_cost_stage(c, b, NULL, ops + at[i], at[j] - at[i], &out, err);
            count++;
        }
    }
    if (rc == 0) {
        const double ms = (double)(atoll_now_ns() - from_ns) / 1e6;
        printf(
            "cost resnet152: %u segments between block boundaries in %.2f ms, aim %.0f ms, ratio "
            "%.3f\n",
            count, ms, SEGMENTS_AIM_MS, ms / SEGMENTS_AIM_MS);
    }
    atoll_free(ops);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    return rc;
}

int main(void)
{
    struct atoll_err err = {0};
    struct atoll_board *b = NULL;
    int rc = atoll_board_open("asus_crl_g18u", NULL, &b, &err);
    static const char *const names[] = {"mobilenet_v1", "resnet50", "inception_v3", "densenet201",
                                        "resnet152"};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && rc == 0; i++) {
        rc = whole(b, names[i], &err);
    }
    rc = rc == 0 ? segments(b, &err) : rc;
    if (rc != 0) {
        fprintf(stderr, "%s\n", err.text);
    }
    atoll_board_close(&b);
    return atoll_code_exit(rc);
}
