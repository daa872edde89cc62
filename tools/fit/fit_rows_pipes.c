/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains in several segments, a device and a Python thread each. They are predicted, not fitted:
 * the stages by the constants that single devices taught, the cuts by the rules of their authors,
 * and 0.245 ms of the host per stage, one stage after the other, as small dense networks show.
 */
#include "fit.h"

#include <stdio.h>
#include <string.h>

#define HOST_MS_PER_STAGE 0.245

/** Layers by count: floor(layers / n) each, the remainder one by one to the last segments. */
static int add_counted_stages(struct fit_row *row, const struct atoll_model *m, uint32_t n,
                              struct atoll_err *err)
{
    uint32_t layers = 0;
    for (uint32_t i = 0; i < m->n_ops; i++) {
        layers += m->ops[i].code == ATOLL_OP_FULLY_CONNECTED;
    }
    uint32_t *ops = atoll_calloc(m->n_ops, sizeof *ops);
    int rc = ops == NULL ? atoll_fail_nomem(err, "operators", m->n_ops) : 0;
    for (uint32_t i = 0; rc == 0 && i < m->n_ops; i++) {
        ops[i] = i;
    }
    uint32_t from = 0;
    for (uint32_t s = 0; s < n && rc == 0; s++) {
        const uint32_t take = layers / n + (s >= n - layers % n ? 1u : 0u);
        uint32_t to = from;
        for (uint32_t seen = 0; to < m->n_ops; to++) {
            const bool dense = m->ops[to].code == ATOLL_OP_FULLY_CONNECTED;
            if (dense && seen == take && s + 1u < n) {
                break; /* the next segment's first layer */
            }
            seen += dense;
        }
        if (s + 1u == n && m->ops[to - 1u].code == ATOLL_OP_SOFTMAX) {
            to--;
        }
        rc = fit_add_stage(row, m, ATOLL_COMPILER_V16, ops + from, to - from, err);
        from = to;
    }
    atoll_free(ops);
    return rc;
}

static int add_pipe(struct fit *f, const struct tsv *t, size_t i, struct atoll_err *err)
{
    char spec[128];
    struct fit_row *row = NULL;
    const bool conv = tsv_is(t, i, "net", "conv");
    const bool one = tsv_is(t, i, "batch", "1");
    const uint32_t n = (uint32_t)tsv_number(t, i, "segments");
    if (conv) {
        (void)snprintf(spec, sizeof spec, "conv_chain?layers=%s&filters=%s&bias=zero",
                       tsv_text(t, i, "layers"), tsv_text(t, i, "width"));
    } else {
        (void)snprintf(spec, sizeof spec,
                       "dense_chain?layers=%s&units=%s&inputs=%s&classes=%s&bias=zero",
                       tsv_text(t, i, "layers"), tsv_text(t, i, "width"), tsv_text(t, i, "input"),
                       tsv_text(t, i, "output"));
    }
    const char *family = conv ? (one ? "convolution pipelines, one input, shown only"
                                     : "convolution pipelines, batches, shown only")
                              : (one ? "dense pipelines, one input, shown only"
                                     : "dense pipelines, batches, shown only");
    struct atoll_model *m = fit_model(spec, err);
    if (m == NULL) {
        return err->code;
    }
    char label[80];
    (void)snprintf(label, sizeof label, "%.60s, %u segments", spec, n);
    int rc = fit_add_row(f, family,
                         fit_host_index(f, conv ? "Jorgitou98, convolutions" : "Jorgitou98, dense"),
                         label, tsv_number(t, i, "ms"), 0.1, &row, err);
    if (rc == 0) {
        row->shown = true;
        row->kind = one ? FIT_LATENCY : FIT_INTERVAL;
        row->host_ms = HOST_MS_PER_STAGE;
        rc = conv ? fit_add_vendor_stages(row, m, n, err) : add_counted_stages(row, m, n, err);
    }
    atoll_model_close(&m);
    return rc;
}

int fit_load_pipes(struct fit *f, struct atoll_err *err)
{
    static const char *const files[] = {"synth_conv.tsv", "synth_fc.tsv"};
    int rc = 0;
    for (int k = 0; k < 2 && rc == 0; k++) {
        struct tsv t;
        rc = tsv_open(f->data, files[k], &t, err);
        for (size_t i = 0; i < t.n_rows && rc == 0; i++) {
            if (tsv_number(&t, i, "segments") > 1 && tsv_is(&t, i, "trust", "high") &&
                tsv_number(&t, i, "ms") > 0) {
                rc = add_pipe(f, &t, i, err);
            }
        }
        tsv_close(&t);
    }
    return rc;
}
