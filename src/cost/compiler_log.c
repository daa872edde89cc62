/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What edgetpu_compiler would print: its lines, its order, its way to write sizes. The first line
 * says that this is an estimate.
 */
#include "cost_internal.h"

#include <string.h>

/** One line of the table that `-s` prints. */
struct row {
    const char *name;
    char status[256];
    uint32_t count;
};

static void put_size(struct atoll_buf *o, const char *what, uint64_t bytes)
{
    char text[32];
    atoll_format_bytes(text, bytes);
    atoll_buf_printf(o, "%s: %s\n", what, text);
}

/** File name of a model without directory and ".tflite"; of "zoo:name?..." the name. */
static void stem_of(const char *input_name, char out[128])
{
    const char *slash = strrchr(input_name, '/');
    const char *from = slash != NULL ? slash + 1 : input_name;
    if (strncmp(from, "zoo:", 4) == 0) {
        from += 4;
    }
    size_t n = strcspn(from, "?");
    if (n > 7 && strncmp(from + n - 7, ".tflite", 7) == 0) {
        n -= 7;
    }
    n = n < 127 ? n : 127;
    memcpy(out, from, n);
    out[n] = '\0';
}

/** Compiler's word for an operator: the reason without its detail. */
static void status_of(const struct atoll_model *m, const struct atoll_layer *l, char out[256])
{
    char why[256];
    const char *text = "Mapped to Edge TPU";
    if (l->kind == ATOLL_BOUND_CPU) {
        text = atoll_op_unmapped_why(m, l->op, why);
        text = text != NULL ? text : "More than one subgraph is not supported";
    }
    const size_t n = strcspn(text, ":");
    memcpy(out, text, n);
    out[n] = '\0';
}

static int put_operations(struct atoll_buf *o, const struct atoll_model *m,
                          const struct atoll_program *p)
{
    struct row *rows = atoll_calloc(p->n_layers + 1u, sizeof *rows);
    char *names = atoll_calloc(p->n_layers + 1u, 64);
    uint32_t n = 0;
    if (rows == NULL || names == NULL) {
        atoll_free(rows);
        atoll_free(names);
        return ATOLL_ENOMEM;
    }
    for (uint32_t i = 0; i < p->n_layers; i++) {
        struct row r = {.count = 1};
        r.name = atoll_op_name(&m->ops[p->layers[i].op], &names[(size_t)n * 64u]);
        status_of(m, &p->layers[i], r.status);
        uint32_t at = 0;
        while (at < n &&
               (strcmp(rows[at].name, r.name) != 0 || strcmp(rows[at].status, r.status) != 0)) {
            at++;
        }
        if (at < n) {
            rows[at].count++;
        } else {
            rows[n++] = r;
        }
    }
    atoll_buf_puts(o, "\nOperator                       Count      Status\n\n");
    for (uint32_t i = 0; i < n; i++) {
        atoll_buf_printf(o, "%-30s %-10u %s\n", rows[i].name, rows[i].count, rows[i].status);
    }
    atoll_free(rows);
    atoll_free(names);
    return 0;
}

/** Bytes of the constants of a segment: what its .tflite holds beside a small graph. */
static uint64_t source_bytes(const struct atoll_model *m, const struct atoll_program *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->n_layers; i++) {
        struct atoll_op_info info;
        atoll_op_info(m, p->layers[i].op, &info);
        sum += info.const_bytes;
    }
    return sum;
}

/** Block of segment i of n; left: of the cache, UINT64_MAX: what the program's budget leaves. */
static int put_block(struct atoll_buf *o, const struct atoll_cost *c, const struct atoll_program *p,
                     uint32_t i, uint32_t n, uint64_t left, const char *input_name,
                     bool show_operations)
{
    char stem[128];
    char name[192];
    stem_of(input_name, stem);
    if (n > 1) {
        (void)snprintf(name, sizeof name, "%s_segment_%u_of_%u", stem, i, n);
    } else {
        (void)snprintf(name, sizeof name, "%s", stem);
    }
    const uint64_t source =
        n == 1 && c->model->file_bytes > 0 ? c->model->file_bytes : source_bytes(c->model, p);
    if (left == UINT64_MAX) {
        left = p->budget_bytes > p->on_chip_bytes ? p->budget_bytes - p->on_chip_bytes : 0;
    }
    if (n > 1) {
        atoll_buf_printf(o, "\nInput model: %s.tflite\n", name);
    } else {
        atoll_buf_printf(o, "\nInput model: %s\n", input_name);
    }
    put_size(o, "Input size", source);
    atoll_buf_printf(o, "Output model: %s_edgetpu.tflite\n", name);
    put_size(o, "Output size", p->stored_bytes + p->instruction_bytes);
    put_size(o, "On-chip memory used for caching model parameters", p->on_chip_bytes);
    put_size(o, "On-chip memory remaining for caching model parameters", left);
    put_size(o, "Off-chip memory used for streaming uncached model parameters", p->off_chip_bytes);
    atoll_buf_printf(o, "Number of Edge TPU subgraphs: %d\n", p->n_tpu_ops > 0 ? 1 : 0);
    atoll_buf_printf(o, "Total number of operations: %u\n", p->n_layers);
    atoll_buf_printf(o, "Operation log: %s_edgetpu.log\n", name);
    return show_operations ? put_operations(o, c->model, p) : 0;
}

static void put_version(struct atoll_buf *o, enum atoll_compiler compiler)
{
    atoll_buf_printf(
        o, "Edge TPU Compiler version %s (estimated by atoll %s, nothing was compiled)\n",
        compiler == ATOLL_COMPILER_V16 ? "16.0.384591198" : "2.0 (files of 2019 to 2021)",
        ATOLL_VERSION);
}

static char *take(struct atoll_buf *o, int rc)
{
    size_t size;
    char *text = rc == 0 ? atoll_buf_take(o, &size) : NULL;
    atoll_buf_finish(o);
    return text;
}

char *atoll_cost_compiler_log(const struct atoll_cost *c, const struct atoll_program *programs,
                              uint32_t n, const char *input_name, bool show_operations)
{
    struct atoll_buf o = {0};
    int rc = 0;
    put_version(&o, c->compiler);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        rc = put_block(&o, c, &programs[i], i, n, UINT64_MAX, input_name, show_operations);
    }
    return take(&o, rc);
}

char *atoll_cost_compiler_log_together(const struct atoll_cost *const *c,
                                       const struct atoll_program *programs,
                                       const char *const *input_names, uint32_t n,
                                       bool show_operations)
{
    struct atoll_buf o = {0};
    int rc = 0;
    put_version(&o, n > 0 ? c[0]->compiler : ATOLL_COMPILER_V16);
    /* all blocks say what the whole set leaves */
    const struct atoll_program *last = n > 0 ? &programs[n - 1u] : NULL;
    const uint64_t left = last != NULL ? last->budget_bytes - last->on_chip_bytes : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        rc = put_block(&o, c[i], &programs[i], 0, 1, left, input_names[i], show_operations);
    }
    return take(&o, rc);
}
