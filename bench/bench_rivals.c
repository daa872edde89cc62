/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the exact search gains over every rule, partition and published search: the networks of the
 * zoo x 1..8 TPUs x 3 boards (sticks taken as eight) x 3 objectives. One line a pair, separated by
 * tabs: network, board, TPUs, objective, strategy, its figure, that of exact, gap of exact. Figures
 * are us (latency, interval) and mJ: less is better. Exit code 1 when exact is worse anywhere.
 * Options are networks to compare instead. bench/rivals.py makes tables of it.
 */
#include <atoll/plan.h>
#include <atoll/zoo.h>

#include <stdio.h>
#include <string.h>

static double figure(const struct atoll_plan *p, enum atoll_objective o)
{
    return o == ATOLL_OBJECTIVE_LATENCY      ? p->latency_us
           : o == ATOLL_OBJECTIVE_THROUGHPUT ? p->interval_us
                                             : p->energy_mj;
}

static const struct atoll_plan *exact_of(const struct atoll_comparison *c, enum atoll_objective o)
{
    for (uint32_t i = 0; i < c->n_plans; i++) {
        if (strncmp(c->plans[i]->strategy, "exact", 5) == 0 && c->plans[i]->objective == o) {
            return c->plans[i];
        }
    }
    return NULL;
}

static void print_pairs(const struct atoll_comparison *c, const char *network,
                        const struct atoll_board *b, uint64_t *worse)
{
    for (int k = 0; k < 3; k++) {
        const enum atoll_objective o = (enum atoll_objective)k;
        const struct atoll_plan *exact = exact_of(c, o);
        for (uint32_t i = 0; i < c->n_plans; i++) {
            const struct atoll_plan *p = c->plans[i];
            if (p->skipped || strncmp(p->strategy, "exact", 5) == 0) {
                continue;
            }
            printf("%s\t%s\t%u\t%s\t%s\t%.9g\t%.9g\t%.6g\n", network, b->name, p->tpus,
                   atoll_objective_name(o), p->strategy, figure(p, o), figure(exact, o),
                   exact->gap_frac);
            *worse += figure(exact, o) > figure(p, o) * (1 + 1e-9);
        }
    }
}

static int compare_network(const char *network, struct atoll_board *b, uint64_t *worse,
                           struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *cost = NULL;
    int code = atoll_zoo_build(network, &m, err);
    code = code ? code : atoll_cost_open(m, ATOLL_COMPILER_V16, &cost, err);
    const struct atoll_cost *const models[1] = {cost};
    for (uint32_t tpus = 1; tpus <= 8 && code == 0; tpus++) {
        struct atoll_plan_request r = atoll_plan_request_default();
        struct atoll_comparison c = {0};
        r.models = models;
        r.n_models = 1;
        r.board = b;
        r.tpus = tpus;
        r.want_rivals = true;
        code = atoll_plan_compare(&r, &c, err);
        if (code == 0) {
            print_pairs(&c, network, b, worse);
            atoll_comparison_finish(&c);
        }
    }
    atoll_cost_close(&cost);
    atoll_model_close(&m);
    return code;
}

static int compare_board(const char *board, int argc, char **argv, uint64_t *worse,
                         struct atoll_err *err)
{
    size_t n = 0;
    const struct atoll_zoo_network *zoo = atoll_zoo_list(&n);
    struct atoll_board *b = NULL;
    int code = atoll_board_open(board, NULL, &b, err);
    if (code) {
        return code;
    }
    b->n_tpus = b->n_tpus < 8 ? 8 : b->n_tpus;
    n = argc > 1 ? (size_t)argc - 1 : n;
    for (size_t i = 0; i < n && code == 0; i++) {
        code = compare_network(argc > 1 ? argv[i + 1] : zoo[i].name, b, worse, err);
    }
    atoll_board_close(&b);
    return code;
}

int main(int argc, char **argv)
{
    static const char *const boards[] = {"asus_crl_g18u", "pcie_x86", "usb3_x86"};
    struct atoll_err err = {0};
    uint64_t worse = 0;
    int code = 0;
    for (size_t i = 0; i < 3 && code == 0; i++) {
        code = compare_board(boards[i], argc, argv, &worse, &err);
    }
    if (code) {
        fprintf(stderr, "%s\n", err.text);
        return atoll_code_exit(code);
    }
    fprintf(stderr, "%llu pairs in which exact is worse\n", (unsigned long long)worse);
    return worse > 0;
}
