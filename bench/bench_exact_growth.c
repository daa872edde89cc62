/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the exact search grows, in processor time, models built and costed before:
 *  - with the operators: every network of the zoo on eight TPUs, each objective;
 *  - with the TPUs: a few networks on 1 to 64 TPUs of a card that nobody sells.
 * Prints a line of a table for each solve. "bench_exact_growth out.svg" also draws both.
 */
#include <atoll/plan.h>
#include <atoll/zoo.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POINTS_MAX 600

struct point {
    double x, ms, gap_frac;
    int series;
};
struct chart {
    struct point p[POINTS_MAX];
    uint32_t n;
};

static double cpu_ms(void)
{
    return (double)clock() * 1e3 / CLOCKS_PER_SEC;
}

static int solve(const struct atoll_cost *c, const struct atoll_board *b, uint32_t tpus,
                 enum atoll_objective o, struct point *out, struct atoll_err *err)
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
    if (code == 0) {
        *out = (struct point){.ms = cpu_ms() - from_ms, .gap_frac = p->gap_frac};
    }
    atoll_plan_close(&p);
    return code;
}

static void add(struct chart *c, const struct point *p, double x, int series)
{
    if (c->n < POINTS_MAX) {
        c->p[c->n] = *p;
        c->p[c->n].x = x;
        c->p[c->n++].series = series;
    }
}

static int with_operators(const char *name, const struct atoll_board *b, struct chart *chart,
                          struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *c = NULL;
    struct point p[3] = {{0}};
    int code = atoll_zoo_build(name, &m, err);
    code = code ? code : atoll_cost_open(m, ATOLL_COMPILER_V16, &c, err);
    for (int o = 0; o < 3 && code == 0; o++) {
        code = solve(c, b, 8, (enum atoll_objective)o, &p[o], err);
        add(chart, &p[o], m->n_ops, o);
    }
    if (code == 0) {
        printf("| %s | %u | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |\n", name, m->n_ops, p[0].ms,
               p[1].ms, p[2].ms, 100 * p[0].gap_frac, 100 * p[1].gap_frac, 100 * p[2].gap_frac);
    }
    atoll_cost_close(&c);
    atoll_model_close(&m);
    return code;
}

static const char *const grown[] = {"mobilenet_v1", "resnet50", "densenet121"};

static int with_tpus(int series, const struct atoll_board *b, struct chart *chart,
                     struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *c = NULL;
    int code = atoll_zoo_build(grown[series], &m, err);
    code = code ? code : atoll_cost_open(m, ATOLL_COMPILER_V16, &c, err);
    for (uint32_t k = 1; k <= 64 && code == 0; k *= 2) {
        struct point p;
        code = solve(c, b, k, ATOLL_OBJECTIVE_THROUGHPUT, &p, err);
        if (code == 0) {
            add(chart, &p, k, series);
            printf("| %s | %u TPUs | %.1f ms | gap %.1f %% |\n", grown[series], k, p.ms,
                   100 * p.gap_frac);
        }
    }
    atoll_cost_close(&c);
    atoll_model_close(&m);
    return code;
}

/* ----------------------------------------------------------------------- drawing */

static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73"};

struct axes {
    double left, x_from, x_to, y_from, y_to; ///< pixels; data, decades apart
};
#define TOP 30
#define WIDTH 380
#define HEIGHT 300

static double px(const struct axes *a, double x)
{
    return a->left + WIDTH * log(x / a->x_from) / log(a->x_to / a->x_from);
}

static double py(const struct axes *a, double y)
{
    const double at = fmax(y, a->y_from);
    return TOP + HEIGHT * (1 - log(at / a->y_from) / log(a->y_to / a->y_from));
}

static void draw_axes(FILE *f, const struct axes *a, const char *title, const char *x,
                      const double *ticks, uint32_t n)
{
    fprintf(f, "<rect x='%.0f' y='%d' width='%d' height='%d' fill='none' stroke='#888'/>\n",
            a->left, TOP, WIDTH, HEIGHT);
    fprintf(f, "<text x='%.0f' y='18'>%s</text>\n", a->left, title);
    fprintf(f, "<text x='%.0f' y='%d' text-anchor='middle'>%s</text>\n", a->left + WIDTH / 2.0,
            TOP + HEIGHT + 34, x);
    for (uint32_t i = 0; i < n; i++) {
        fprintf(f, "<text x='%.1f' y='%d' text-anchor='middle'>%g</text>\n", px(a, ticks[i]),
                TOP + HEIGHT + 16, ticks[i]);
    }
    for (double y = a->y_from; y <= a->y_to * 1.01; y *= 10) {
        fprintf(f,
                "<line x1='%.0f' x2='%.0f' y1='%.1f' y2='%.1f' stroke='#ddd'/>"
                "<text x='%.0f' y='%.1f' text-anchor='end'>%g</text>\n",
                a->left, a->left + WIDTH, py(a, y), py(a, y), a->left - 6, py(a, y) + 4, y);
    }
}

/* A filled dot is proven, a ring is within the gap beside it, where labels are asked for. */
static void draw_points(FILE *f, const struct axes *a, const struct chart *c, bool joined)
{
    for (uint32_t i = 0; i < c->n; i++) {
        const struct point *p = &c->p[i];
        const bool proven = p->gap_frac < 5e-4;
        if (joined && i > 0 && c->p[i - 1].series == p->series) {
            fprintf(f, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s'/>\n",
                    px(a, c->p[i - 1].x), py(a, c->p[i - 1].ms), px(a, p->x), py(a, p->ms),
                    colours[p->series]);
        }
        fprintf(f, "<circle cx='%.1f' cy='%.1f' r='3' stroke='%s' fill='%s'/>\n", px(a, p->x),
                py(a, p->ms), colours[p->series], proven ? colours[p->series] : "white");
        if (joined && !proven) {
            fprintf(f, "<text x='%.1f' y='%.1f' font-size='10'>%.0f %%</text>\n", px(a, p->x) + 5,
                    py(a, p->ms) + 11, 100 * p->gap_frac);
        }
    }
}

static void draw_legend(FILE *f, const struct axes *a, const char *const *names)
{
    for (int i = 0; i < 3; i++) {
        fprintf(f, "<circle cx='%.0f' cy='%d' r='4' fill='%s'/><text x='%.0f' y='%d'>%s</text>\n",
                a->left + 12, TOP + 14 + 16 * i, colours[i], a->left + 22, TOP + 18 + 16 * i,
                names[i]);
    }
}

static int draw(const char *path, const struct chart *ops, const struct chart *tpus)
{
    static const char *const objectives[] = {"latency", "throughput", "energy"};
    static const double op_ticks[] = {6, 20, 60, 200, 600}, tpu_ticks[] = {1, 2, 4, 8, 16, 32, 64};
    const struct axes a = {.left = 60, .x_from = 5, .x_to = 600, .y_from = 0.1, .y_to = 10000};
    const struct axes b = {.left = 510, .x_from = 0.9, .x_to = 75, .y_from = 0.1, .y_to = 10000};
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        return 1;
    }
    fprintf(f, "<svg xmlns='http://www.w3.org/2000/svg' width='910' height='375' "
               "font-family='sans-serif' font-size='12'>\n"
               "<rect width='910' height='375' fill='white'/>\n");
    draw_axes(f, &a, "processor time, ms: zoo on 8 TPUs", "operators", op_ticks, 5);
    draw_points(f, &a, ops, false);
    draw_legend(f, &a, objectives);
    draw_axes(f, &b, "processor time, ms: throughput; gap where not proven", "TPUs", tpu_ticks, 7);
    draw_points(f, &b, tpus, true);
    draw_legend(f, &b, grown);
    fprintf(f, "</svg>\n");
    return fclose(f) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct chart ops, tpus;
    struct atoll_err err = {0};
    struct atoll_board *b = NULL;
    size_t n = 0;
    const struct atoll_zoo_network *zoo = atoll_zoo_list(&n);
    int code = atoll_board_open("asus_crl_g18u", NULL, &b, &err);
    printf(
        "| network | operators | latency ms | throughput ms | energy ms | gap %% | gap %% | gap %% "
        "|\n|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < n && code == 0; i++) {
        code = with_operators(zoo[i].name, b, &ops, &err);
    }
    if (code == 0) {
        b->n_tpus = 64;
    }
    for (int i = 0; i < 3 && code == 0; i++) {
        code = with_tpus(i, b, &tpus, &err);
    }
    atoll_board_close(&b);
    if (code) {
        fprintf(stderr, "%s\n", err.text);
        return atoll_code_exit(code);
    }
    return argc > 1 ? draw(argv[1], &ops, &tpus) : 0;
}
