/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figure that the field starts from: inference time against pipeline depth on the 8-TPU card,
 * for the ImageNet networks of the zoo cut by the vendor's rule, from the model alone; beside it
 * the rows that were measured.
 */
#include "fit.h"

#include <atoll/zoo.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8

/** A network at depths 1..8. */
struct depth_row {
    const char *name;
    bool shown; ///< has a line of its own in the picture
    double latency_ms[DEPTH_MAX + 1], interval_ms[DEPTH_MAX + 1], off_mib[DEPTH_MAX + 1];
};
static const struct {
    const char *name;
    bool shown;
} networks[] = {
    {"mobilenet_v1", true},
    {"mobilenet_v2", false},
    {"mobilenet_v3_large", false},
    {"squeezenet1_1", false},
    {"resnet18", false},
    {"resnet34", false},
    {"resnet50", true},
    {"resnet101", true},
    {"resnet152", true},
    {"resnet50_v2", false},
    {"resnet152_v2", false},
    {"googlenet", false},
    {"bn_inception", true},
    {"inception_v3", true},
    {"inception_v4", true},
    {"inception_resnet_v2", true},
    {"densenet121", false},
    {"densenet169", false},
    {"densenet201", true},
    {"xception", true},
    {"efficientnet_lite0", false},
    {"efficientnet_lite1", false},
    {"efficientnet_lite2", false},
    {"efficientnet_lite3", false},
    {"efficientnet_lite4", true},
    {"efficientnet_edgetpu_s", false},
    {"efficientnet_edgetpu_m", false},
    {"efficientnet_edgetpu_l", false},
    {"vgg16", false},
    {"vgg19", false},
};
enum { NETWORKS = sizeof networks / sizeof networks[0] };
static const char *const colours[] = {"#1f6fb4", "#d1495b", "#2e8b57", "#b8860b",
                                      "#6a4c93", "#008b8b", "#8b4513", "#c71585",
                                      "#556b2f", "#ff7f0e", "#4682b4", "#a0522d"};

/** One depth of one network; a cut that the vendor's rule refuses leaves NAN. */
static int at_depth(const struct fit *f, const struct atoll_model *m, const struct atoll_cost *c,
                    const uint32_t *order, uint32_t n, struct depth_row *row, struct atoll_err *err)
{
    const struct fit_host *card = &f->hosts[fit_host_index(f, "8-TPU card")];
    uint32_t cuts[DEPTH_MAX + 1] = {0};
    struct atoll_err why = {0};
    row->latency_ms[n] = row->interval_ms[n] = row->off_mib[n] = (double)NAN;
    int rc = n > 1 ? atoll_model_vendor_cuts(m, n, cuts + 1, &why) : 0;
    if (rc == ATOLL_ENO) {
        return 0;
    }
    cuts[n] = m->n_ops;
    double latency_us = 0;
    double slowest_us = 0;
    double off = 0;
    for (uint32_t s = 0; s < n && rc == 0; s++) {
        struct atoll_stage_cost cost;
        rc = atoll_cost_stage(c, &card->board, &card->use, order + cuts[s], cuts[s + 1u] - cuts[s],
                              &cost, err);
        latency_us += cost.latency_us;
        slowest_us = cost.service_us > slowest_us ? cost.service_us : slowest_us;
        off += (double)cost.off_chip_bytes / FIT_MIB;
    }
    if (rc == 0) {
        row->latency_ms[n] = latency_us / 1e3;
        row->interval_ms[n] = slowest_us / 1e3;
        row->off_mib[n] = off;
    }
    return rc;
}

static int network_depths(const struct fit *f, struct depth_row *row, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *c = NULL;
    int rc = atoll_zoo_build(row->name, &m, err);
    rc = rc == 0 ? atoll_cost_open(m, ATOLL_COMPILER_V16, &c, err) : rc;
    uint32_t *order = rc == 0 ? atoll_calloc(m->n_ops, sizeof *order) : NULL;
    rc = rc == 0 && order == NULL ? atoll_fail_nomem(err, "order", m->n_ops) : rc;
    rc = rc == 0 ? atoll_model_vendor_order(m, order, err) : rc;
    for (uint32_t n = 1; n <= DEPTH_MAX && rc == 0; n++) {
        rc = at_depth(f, m, c, order, n, row, err);
    }
    atoll_free(order);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    return rc;
}

/** First depth from which on nothing streams; 0: not up to 8. */
static uint32_t resident_from(const struct depth_row *row)
{
    for (uint32_t n = 1; n <= DEPTH_MAX; n++) {
        if (row->off_mib[n] < 1e-9) {
            return n;
        }
    }
    return 0;
}

static void put_cell(FILE *out, double ms, bool streams)
{
    if (isfinite(ms)) {
        (void)fprintf(out, " %.1f%s |", ms, streams ? "*" : "");
    } else {
        (void)fprintf(out, " - |");
    }
}

static int print_measured(const struct fit *f, struct atoll_err *err)
{
    struct tsv t;
    const int rc = tsv_open(f->data, "board_8tpu.tsv", &t, err);
    const char *last = "";
    for (size_t i = 0; i < t.n_rows; i++) {
        const char *model = tsv_text(&t, i, "model");
        if (strcmp(model, last) != 0) {
            (void)fprintf(f->out, "%s| %s, **measured** |", i > 0 ? " |\n" : "", model);
            last = model;
        }
        (void)fprintf(f->out, " %.1f |", tsv_number(&t, i, "pipeline_latency_ms"));
    }
    (void)fprintf(f->out, " |\n");
    tsv_close(&t);
    return rc;
}

static int print_table(const struct fit *f, const struct depth_row *rows, struct atoll_err *err)
{
    (void)fprintf(
        f->out,
        "\n## Inference time against pipeline depth\n\n"
        "Latency in ms of one input, stages called one after the other from Python, on the 8-TPU "
        "card, vendor's cuts; from the model alone. `*`: something still streams; `-`: the "
        "vendor's rule leaves a segment empty. Last column: smallest depth at which nothing "
        "streams.\n\n| network |");
    for (int n = 1; n <= DEPTH_MAX; n++) {
        (void)fprintf(f->out, " %d |", n);
    }
    (void)fprintf(f->out, " resident from |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < NETWORKS; i++) {
        (void)fprintf(f->out, "| %s |", rows[i].name);
        for (uint32_t n = 1; n <= DEPTH_MAX; n++) {
            put_cell(f->out, rows[i].latency_ms[n], rows[i].off_mib[n] > 0);
        }
        const uint32_t from = resident_from(&rows[i]);
        if (from > 0) {
            (void)fprintf(f->out, " %u |\n", from);
        } else {
            (void)fprintf(f->out, " more than 8 |\n");
        }
    }
    return print_measured(f, err);
}

#define WIDTH 620.0
#define HEIGHT 420.0
#define X0 56.0
#define Y0 40.0
#define MS_LOW 1.0
#define MS_HIGH 300.0

static double x_of(double n)
{
    return X0 + (n - 1) / (DEPTH_MAX - 1) * WIDTH;
}

static double y_of(double ms)
{
    return Y0 + HEIGHT * (1 - log(ms / MS_LOW) / log(MS_HIGH / MS_LOW));
}

static void put_line(struct atoll_buf *o, const struct depth_row *row, const char *colour)
{
    bool open = false;
    atoll_buf_puts(o, "<path fill='none' d='");
    for (int n = 1; n <= DEPTH_MAX; n++) {
        if (isfinite(row->latency_ms[n])) {
            atoll_buf_printf(o, "%s%.1f %.1f", open ? "L" : "M", x_of(n), y_of(row->latency_ms[n]));
            open = true;
        }
    }
    atoll_buf_printf(o, "' stroke='%s' stroke-width='%s'><title>%s</title></path>\n", colour,
                     row->shown ? "1.8" : "0.8", row->name);
    for (int n = 1; n <= DEPTH_MAX && row->shown; n++) {
        if (isfinite(row->latency_ms[n])) { /* hollow while it streams */
            atoll_buf_printf(o, "<circle cx='%.1f' cy='%.1f' r='3.4' fill='%s' stroke='%s'/>\n",
                             x_of(n), y_of(row->latency_ms[n]),
                             row->off_mib[n] > 0 ? "#fff" : colour, colour);
        }
    }
}

static int put_measured(const struct fit *f, struct atoll_buf *o, struct atoll_err *err)
{
    struct tsv t;
    const int rc = tsv_open(f->data, "board_8tpu.tsv", &t, err);
    for (size_t i = 0; i < t.n_rows; i++) {
        const double x = x_of(tsv_number(&t, i, "n_tpus"));
        const double y = y_of(tsv_number(&t, i, "pipeline_latency_ms"));
        atoll_buf_printf(o,
                         "<path d='M%.1f %.1fl8 8m0 -8l-8 8' stroke='#777' stroke-width='1.6'>"
                         "<title>%s measured</title></path>\n",
                         x - 4, y - 4, tsv_text(&t, i, "model"));
    }
    tsv_close(&t);
    return rc;
}

static int write_picture(const struct fit *f, const struct depth_row *rows, const char *source_dir,
                         struct atoll_err *err)
{
    struct atoll_buf o = {0};
    struct atoll_buf path = {0};
    static const double ticks[] = {1, 2, 5, 10, 20, 50, 100, 200};
    atoll_buf_printf(&path, "%s/docs/img/depth.svg", source_dir);
    atoll_buf_printf(
        &o,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 860 520' width='860' "
        "font-family='sans-serif' font-size='12' fill='#777'>\n"
        "<!-- SPDX-License-Identifier: Apache-2.0; written by ./run fit -->\n"
        "<text x='%.0f' y='22' font-size='15'>Inference time against pipeline depth, 8-TPU "
        "card (computed; crosses: measured; hollow: streams)</text>\n",
        X0);
    for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++) {
        atoll_buf_printf(&o,
                         "<path d='M%.1f %.1fh%.1f' stroke='#8884'/><text x='%.1f' y='%.1f' "
                         "text-anchor='end'>%g</text>\n",
                         X0, y_of(ticks[i]), WIDTH, X0 - 6, y_of(ticks[i]) + 4, ticks[i]);
    }
    for (int n = 1; n <= DEPTH_MAX; n++) {
        atoll_buf_printf(&o, "<text x='%.1f' y='%.1f' text-anchor='middle'>%d</text>\n", x_of(n),
                         Y0 + HEIGHT + 18, n);
    }
    atoll_buf_printf(
        &o,
        "<text x='%.1f' y='%.1f' text-anchor='middle'>segments (TPUs)</text>"
        "<text transform='translate(16 %.1f) rotate(-90)' text-anchor='middle'>latency, "
        "ms</text>\n",
        X0 + WIDTH / 2, Y0 + HEIGHT + 38, Y0 + HEIGHT / 2);
    int shown = 0;
    for (int i = 0; i < NETWORKS; i++) {
        put_line(&o, &rows[i], rows[i].shown ? colours[shown % 12] : "#8886");
        if (rows[i].shown) {
            atoll_buf_printf(
                &o,
                "<rect x='%.1f' y='%.1f' width='12' height='3' fill='%s'/><text x='%.1f' "
                "y='%.1f'>%s</text>\n",
                X0 + WIDTH + 18, Y0 + 10 + 20 * shown, colours[shown % 12], X0 + WIDTH + 36,
                Y0 + 15 + 20 * shown, rows[i].name);
            shown++;
        }
    }
    int rc = put_measured(f, &o, err);
    atoll_buf_puts(&o, "</svg>\n");
    if (rc == 0) {
        rc = o.failed || path.failed ? atoll_fail_nomem(err, "picture", 0)
                                     : atoll_write_file(path.data, o.data, o.size, err);
    }
    atoll_buf_finish(&o);
    atoll_buf_finish(&path);
    return rc;
}

int fit_depth(const struct fit *f, const char *source_dir, struct atoll_err *err)
{
    struct depth_row rows[NETWORKS] = {0};
    int rc = 0;
    for (int i = 0; i < NETWORKS && rc == 0; i++) {
        rows[i].name = networks[i].name;
        rows[i].shown = networks[i].shown;
        rc = network_depths(f, &rows[i], err);
    }
    rc = rc == 0 ? print_table(f, rows, err) : rc;
    return rc == 0 && source_dir != NULL ? write_picture(f, rows, source_dir, err) : rc;
}
