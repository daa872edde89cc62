/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of single devices: MobileNet v1, PoseNet and BodyPix on many hosts, the sweeps of 2019. */
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fit_add_row(struct fit *f, const char *family, int host, const char *label, double ms,
                double sigma, struct fit_row **row, struct atoll_err *err)
{
    void *rows = f->rows;
    const int rc = atoll_grow(&rows, &f->cap_rows, f->n_rows + 1, sizeof *f->rows);
    f->rows = rows;
    if (rc != 0) {
        return atoll_fail_nomem(err, "row", sizeof *f->rows);
    }
    struct fit_row *r = &f->rows[f->n_rows++];
    *r = (struct fit_row){.family = family, .host = host, .ms = ms, .sigma = sigma};
    r->row_out_ms = r->family_out_ms = r->host_out_ms = (double)NAN;
    (void)snprintf(r->label, sizeof r->label, "%s", label);
    *row = r;
    return 0;
}

/** Cycles of each layer when one class has the factor 1 and the others 0. */
static int fill_units(struct fit_stage *s, const struct atoll_model *m,
                      enum atoll_compiler compiler, const uint32_t *ops, uint32_t n,
                      struct atoll_err *err)
{
    int rc = 0;
    size_t n_constants;
    const struct atoll_constant *table = atoll_constants(&n_constants);
    double *values = atoll_calloc(n_constants, sizeof *values);
    if (values == NULL) {
        return atoll_fail_nomem(err, "constants", n_constants * sizeof *values);
    }
    for (int c = 0; c < FIT_CLASSES && rc == 0; c++) {
        for (size_t i = 0; i < n_constants; i++) {
            values[i] = table[i].value;
        }
        for (int other = 0; other < FIT_CLASSES; other++) {
            values[atoll_constant_find(fit_class_constant[other]) - table] = other == c ? 1.0 : 0.0;
        }
        struct atoll_cost *cost = NULL;
        struct atoll_program p = {0};
        rc = atoll_cost_open_with(m, compiler, values, &cost, err);
        rc = rc == 0 ? atoll_cost_program(cost, ops, n, &p, err) : rc;
        for (uint32_t i = 0; rc == 0 && i < n; i++) {
            s->unit[i * FIT_CLASSES + (uint32_t)c] = p.layers[i].cycles;
        }
        atoll_program_finish(&p);
        atoll_cost_close(&cost);
    }
    atoll_free(values);
    return rc;
}

int fit_add_stage(struct fit_row *row, const struct atoll_model *m, enum atoll_compiler compiler,
                  const uint32_t *ops, uint32_t n, struct atoll_err *err)
{
    if (row->stages == NULL) {
        row->stages = atoll_calloc(FIT_STAGES_MAX, sizeof *row->stages);
    }
    struct fit_stage *s = row->stages != NULL ? &row->stages[row->n_stages] : NULL;
    if (s == NULL || row->n_stages == FIT_STAGES_MAX) {
        return atoll_fail_nomem(err, "stage of a row", sizeof *s);
    }
    uint32_t *all = NULL;
    if (ops == NULL) {
        n = m->n_ops;
        all = atoll_calloc(n, sizeof *all);
        for (uint32_t i = 0; all != NULL && i < n; i++) {
            all[i] = i;
        }
        ops = all;
    }
    s->unit = atoll_calloc((size_t)n * FIT_CLASSES, sizeof *s->unit);
    struct atoll_cost *c = NULL;
    int rc = ops == NULL || s->unit == NULL
                 ? atoll_fail_nomem(err, "stage of a row", n * sizeof *s->unit)
                 : atoll_cost_open(m, compiler, &c, err);
    rc = rc == 0 ? atoll_cost_program(c, ops, n, &s->program, err) : rc;
    rc = rc == 0 ? fill_units(s, m, compiler, ops, n, err) : rc;
    row->n_stages += rc == 0;
    atoll_cost_close(&c);
    atoll_free(all);
    return rc;
}

void fit_set_instructions(struct fit_row *row, uint64_t bytes)
{
    row->stages[0].program.instruction_bytes = bytes;
}

void fit_force_streaming(struct fit_row *row, double off_mib)
{
    struct atoll_program *p = &row->stages[0].program;
    double left = off_mib * FIT_MIB;
    p->off_chip_bytes = 0;
    for (uint32_t i = p->n_layers; i > 0; i--) {
        struct atoll_layer *l = &p->layers[i - 1u];
        const double bytes = left < (double)l->packed_bytes ? left : (double)l->packed_bytes;
        l->stream_bytes = l->if_streamed_bytes = (uint64_t)bytes;
        l->streams_if_less = l->streams_if_more = bytes > 0.0;
        left -= bytes;
        p->off_chip_bytes += l->stream_bytes;
    }
    p->on_chip_bytes = p->stored_bytes - p->off_chip_bytes;
}

int fit_add_whole(struct fit *f, const char *family, const char *host, const char *label,
                  const char *spec, enum atoll_compiler compiler, double ms, double sigma,
                  struct atoll_err *err)
{
    struct fit_row *row = NULL;
    const int h = fit_host_index(f, host);
    if (h < 0) {
        return atoll_fail(err, ATOLL_EINTERNAL, "no host \"%s\"", host);
    }
    struct atoll_model *m = fit_model(spec, err);
    if (m == NULL) {
        return err->code;
    }
    int rc = fit_add_row(f, family, h, label, ms, sigma, &row, err);
    rc = rc == 0 ? fit_add_stage(row, m, compiler, NULL, 0, err) : rc;
    atoll_model_close(&m);
    return rc;
}

/** Which host a row of networks_latency.tsv belongs to, and how far its source is trusted. */
struct device_rule {
    const char *device, *source; ///< parts of the two cells; "" any
    const char *host;            ///< NULL: no Edge TPU, or not used
    double sigma;
};
static const struct device_rule device_rules[] = {
    {"no TPU", "", NULL, 0},
    {"desktop CPU", "FAQ", "coral benchmarks page, USB 3", 0.10}, /* superseded 2019 values */
    {"desktop CPU + USB", "benchmarks", "coral benchmarks page, USB 3", 0.05},
    {"Dev Board Edge TPU", "FAQ", "Dev Board", 0.10},
    {"Dev Board", "softserve", "Dev Board", 0.30}, /* whole milliseconds */
    {"Raspberry Pi 3B+ (USB2)", "softserve", "Raspberry Pi 3, USB 2", 0.15},
    {"Dev Board", "", "Dev Board", 0.05},
    {"coral.ai/models", "", "coral models page", 0.05},
    {"Raspberry Pi 3B", "", "Raspberry Pi 3, USB 2", 0.03},
    {"Raspberry Pi 4B", "", "Raspberry Pi 4, USB 3", 0.03},
    {"x86_64 desktop + USB3", "", "Python API, x86, USB 3", 0.03},
    {"USB3 (host \"10W\" mode)", "", "iwatake 10W, USB 3", 0.04},
    {"USB2 (host \"10W\" mode)", "", "iwatake 10W, USB 2", 0.04},
    {"USB3 (host \"5W\" mode)", "", "iwatake 5W, USB 3", 0.06},
    {"USB2 (host \"5W\" mode)", "", "iwatake 5W, USB 2", 0.06},
    {"LibrEdgeTPU", "", "LibrEdgeTPU host, USB 3", 0.05},
    {"iMac", "", "Mac, USB 3", 0.08},
    {"MacBook", "", "Mac, USB 3", 0.08},
    {"USB3 standard clock", "", "desktop, standard build", 0.06},
    {"USB2", "issue #151", "issue 151, USB 2", 0.08},
};

/** Network of a row: name and input size as specification of fit_model; false: not one we build. */
static bool network_spec(const char *model, const char *input, char spec[96], const char **family)
{
    int32_t h = 0;
    int32_t w = 0;
    const bool sized = tsv_size(input, &h, &w);
    if (strstr(model, "PoseNet") != NULL || strstr(model, "BodyPix") != NULL) {
        *family = "PoseNet and BodyPix";
        (void)snprintf(spec, 96, "%s:%dx%d",
                       strstr(model, "BodyPix") != NULL ? "bodypix" : "posenet", sized ? h : 481,
                       sized ? w : 641);
        return true;
    }
    const char *alpha = strstr(model, "0.25")   ? "0.25"
                        : strstr(model, "0.50") ? "0.5"
                        : strstr(model, "0.75") ? "0.75"
                                                : "1.0";
    *family = "MobileNet v1";
    (void)snprintf(spec, 96, "mobilenet_v1?alpha=%s&size=%d", alpha, sized ? h : 224);
    return true;
}

/* Instructions of MobileNet v1 by compiler 1.0, as a capture of its USB traffic shows. */
#define CAPTURED_MOBILENET_BYTES 82768u

/** A row of one's own: device "board:PROFILE", model a specification of the zoo; compiler v16. */
static int own_row(struct fit *f, const struct tsv *t, size_t i, const char *profile,
                   struct atoll_err *err)
{
    int host = -1;
    char label[80];
    struct fit_row *row = NULL;
    const char *spec = tsv_text(t, i, "model");
    int rc = fit_own_host(f, profile, &host, err);
    struct atoll_model *m = rc == 0 ? fit_model(spec, err) : NULL;
    if (m == NULL) {
        return rc != 0 ? rc : err->code;
    }
    (void)snprintf(label, sizeof label, "%.79s", spec);
    rc = fit_add_row(f, "own measurements", host, label, tsv_number(t, i, "latency_ms"), 0.03, &row,
                     err);
    rc = rc == 0 ? fit_add_stage(row, m, ATOLL_COMPILER_V16, NULL, 0, err) : rc;
    atoll_model_close(&m);
    return rc;
}

int fit_load_networks(struct fit *f, struct atoll_err *err)
{
    struct tsv t;
    int rc = tsv_open(f->data, "networks_latency.tsv", &t, err);
    for (size_t i = 0; i < t.n_rows && rc == 0; i++) {
        const char *device = tsv_text(&t, i, "device");
        const char *source = tsv_text(&t, i, "source");
        const double ms = tsv_number(&t, i, "latency_ms");
        const char *point = strchr(tsv_text(&t, i, "latency_ms"), '.');
        const double half_ms = 0.5 * pow(10, point != NULL ? -(double)strlen(point + 1) : 0);
        const struct device_rule *rule = NULL;
        if (strncmp(device, "board:", 6) == 0) {
            rc = own_row(f, &t, i, device + 6, err);
            continue;
        }
        for (size_t r = 0; r < sizeof device_rules / sizeof device_rules[0] && rule == NULL; r++) {
            if (strstr(device, device_rules[r].device) != NULL &&
                strstr(source, device_rules[r].source) != NULL) {
                rule = &device_rules[r];
            }
        }
        const bool cpu = strcmp(device, "desktop CPU") == 0 || strcmp(device, "embedded CPU") == 0;
        char spec[96];
        char label[80];
        const char *family;
        if (cpu || rule == NULL || rule->host == NULL ||
            !network_spec(tsv_text(&t, i, "model"), tsv_text(&t, i, "input"), spec, &family)) {
            continue;
        }
        (void)snprintf(label, sizeof label, "%.30s, %.46s", spec, device);
        rc = fit_add_whole(f, family, rule->host, label, spec, ATOLL_COMPILER_2019, ms, rule->sigma,
                           err);
        if (rc == 0) {
            f->rows[f->n_rows - 1u].half_ms = half_ms;
        }
        if (rc == 0 && strncmp(rule->host, "iwatake", 7) == 0) {
            fit_set_instructions(&f->rows[f->n_rows - 1u], CAPTURED_MOBILENET_BYTES);
        }
    }
    tsv_close(&t);
    return rc;
}

/** Rows of the sweeps that say something about hosts: transfers, and dense stacks that stream. */
int fit_load_sweeps(struct fit *f, struct atoll_err *err)
{
    struct tsv t;
    int rc = tsv_open(f->data, "iwatake_sweeps.tsv", &t, err);
    for (size_t i = 0; i < t.n_rows && rc == 0; i++) {
        char host[64];
        char spec[96];
        const char *sweep = tsv_text(&t, i, "sweep");
        const char *model = tsv_text(&t, i, "model");
        const bool dense = strcmp(sweep, "dense") == 0;
        int32_t h = 0;
        int32_t w = 0;
        (void)snprintf(host, sizeof host, "iwatake %s, USB %s", tsv_text(&t, i, "host_mode"),
                       tsv_is(&t, i, "link", "usb3") ? "3" : "2");
        if (strcmp(sweep, "conv7x7") == 0) {
            continue; /* a chain of its own kind: fit_synthetic.c */
        }
        if (dense) {
            (void)snprintf(spec, sizeof spec, "dense:%sx%s", tsv_text(&t, i, "units"),
                           tsv_text(&t, i, "n"));
        } else {
            const char *key = strcmp(sweep, "padding") == 0          ? "out "
                              : strcmp(sweep, "padding_stride") == 0 ? "internal "
                                                                     : "in ";
            const char *at = strstr(model, key);
            if (at == NULL || !tsv_size(at + strlen(key), &h, &w)) {
                continue;
            }
            (void)snprintf(spec, sizeof spec, "io:%s:%dx%d", sweep, h, w);
        }
        rc = fit_add_whole(f, dense ? "dense stacks" : "transfers", host, spec, spec,
                           ATOLL_COMPILER_2019, tsv_number(&t, i, "ms"), dense ? 0.04 : 0.06, err);
        if (rc == 0 && dense) {
            fit_force_streaming(&f->rows[f->n_rows - 1u], tsv_number(&t, i, "offchip_mib"));
        }
    }
    tsv_close(&t);
    return rc;
}

void fit_drop_stages(struct fit_row *row)
{
    for (uint32_t s = 0; s < row->n_stages; s++) {
        atoll_program_finish(&row->stages[s].program);
        atoll_free(row->stages[s].unit);
    }
    atoll_free(row->stages);
    row->stages = NULL;
    row->n_stages = 0;
}

void fit_close(struct fit *f)
{
    for (size_t i = 0; i < f->n_rows; i++) {
        fit_drop_stages(&f->rows[i]);
    }
    atoll_free(f->rows);
    for (int i = 0; i < f->n_hosts; i++) {
        atoll_board_close(&f->hosts[i].opened);
    }
    *f = (struct fit){0};
}
