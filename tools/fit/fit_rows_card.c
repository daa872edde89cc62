/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of several devices (the 8-TPU card), of the Dev Board Micro and of steady small networks. */
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/** Cuts a model by the vendor's rule and adds each segment as a stage. The zoo's classifiers end in
 * a softmax that the card's networks (PyTorch) have not: it is left out. */
int fit_add_vendor_stages(struct fit_row *row, const struct atoll_model *m, uint32_t n,
                          struct atoll_err *err)
{
    uint32_t cuts[FIT_STAGES_MAX + 1] = {0};
    uint32_t *order = atoll_calloc(m->n_ops, sizeof *order);
    int rc = order == NULL ? atoll_fail_nomem(err, "order of operators", m->n_ops)
                           : atoll_model_vendor_order(m, order, err);
    rc = rc == 0 && n > 1 ? atoll_model_vendor_cuts(m, n, cuts + 1, err) : rc;
    cuts[n] = m->n_ops;
    for (uint32_t s = 0; s < n && rc == 0; s++) {
        uint32_t end = cuts[s + 1u];
        if (end == m->n_ops && m->ops[order[end - 1u]].code == ATOLL_OP_SOFTMAX) {
            end--;
        }
        rc = fit_add_stage(row, m, ATOLL_COMPILER_V16, order + cuts[s], end - cuts[s], err);
    }
    atoll_free(order);
    return rc;
}

static int card_row(struct fit *f, const struct atoll_model *m, const char *family, uint32_t n,
                    enum fit_kind kind, double ms, double one_ms, double sigma,
                    struct atoll_err *err)
{
    static const char *const what[] = {"called by hand", "runner", "copies", "copies' interval"};
    char label[80];
    struct fit_row *row = NULL;
    (void)snprintf(label, sizeof label, "%s on %u TPUs, %s", m->path, n, what[kind]);
    int rc = fit_add_row(f, family, fit_host_index(f, "8-TPU card"), label, ms, sigma, &row, err);
    if (rc == 0) {
        row->kind = kind;
        const bool copies = kind == FIT_COPIES || kind == FIT_COPIES_INTERVAL;
        row->copies = copies ? n - 1u : 0;
        row->one_ms = one_ms;
        rc = copies ? 0 : fit_add_vendor_stages(row, m, n, err);
    }
    return rc;
}

int fit_load_card(struct fit *f, struct atoll_err *err)
{
    struct tsv t;
    double one_ms = 0.0;
    double one_interval_ms = 0.0;
    int rc = tsv_open(f->data, "board_8tpu.tsv", &t, err);
    for (size_t i = 0; i < t.n_rows && rc == 0; i++) {
        const uint32_t n = (uint32_t)tsv_number(&t, i, "n_tpus");
        struct atoll_model *m = fit_model(tsv_text(&t, i, "model"), err);
        if (m == NULL) {
            rc = err->code;
            break;
        }
        const bool resnet = tsv_is(&t, i, "model", "resnet50");
        const char *family = resnet ? "ResNet-50 on the card" : "BN-Inception on the card";
        const double latency_ms = tsv_number(&t, i, "pipeline_latency_ms");
        const double interval_ms = 1e3 * n / tsv_number(&t, i, "parallel_fps");
        one_ms = n == 1 ? latency_ms : one_ms;
        one_interval_ms = n == 1 ? interval_ms : one_interval_ms;
        rc = card_row(f, m, family, n, FIT_LATENCY, latency_ms, one_ms, 0.015, err);
        if (n > 1 && rc == 0) {
            rc = card_row(f, m, family, n, FIT_INTERVAL, 1e3 / tsv_number(&t, i, "pipeline_fps"),
                          one_ms, 0.03, err);
        }
        if (n > 1 && rc == 0) {
            rc = card_row(f, m, "copies on the card", n, FIT_COPIES,
                          tsv_number(&t, i, "parallel_latency_ms"), one_ms, 0.005, err);
        }
        if (n > 1 && rc == 0) {
            rc = card_row(f, m, "copies on the card", n, FIT_COPIES_INTERVAL, interval_ms,
                          one_interval_ms, 0.005, err);
        }
        atoll_model_close(&m);
    }
    tsv_close(&t);
    return rc;
}

/** Networks that stand under another name in the energy and load tables. */
struct alias {
    const char *name, *spec, *host, *family;
    double sigma;
    bool of_2021;          ///< compiled in 2021: parameters as in 2019, instructions as by v16
    uint64_t instructions; ///< of the compiled file where it is at hand; 0: by the law
};

/** Instructions as the compilers from 2021 on write them. */
static int instructions_of_2021(struct fit_row *row, const struct atoll_model *m,
                                struct atoll_err *err)
{
    struct fit_row other = {0};
    const int rc = fit_add_stage(&other, m, ATOLL_COMPILER_V16, NULL, 0, err);
    if (rc == 0) {
        fit_set_instructions(row, other.stages[0].program.instruction_bytes);
    }
    fit_drop_stages(&other);
    return rc;
}

static int aliased(struct fit *f, const char *file, const char *column, const char *kind,
                   const struct alias *known, size_t n_known, struct atoll_err *err)
{
    struct tsv t;
    int rc = tsv_open(f->data, file, &t, err);
    for (size_t i = 0; i < t.n_rows && rc == 0; i++) {
        for (size_t k = 0; k < n_known && rc == 0; k++) {
            if (!tsv_is(&t, i, "kind", kind) || !tsv_is(&t, i, column, known[k].name)) {
                continue;
            }
            struct fit_row *row = NULL;
            struct atoll_model *m = fit_model(known[k].spec, err);
            if (m == NULL) {
                rc = err->code;
                break;
            }
            rc = fit_add_row(f, known[k].family, fit_host_index(f, known[k].host), known[k].name,
                             tsv_number(&t, i, "ms"), known[k].sigma, &row, err);
            rc = rc == 0 ? fit_add_stage(row, m, ATOLL_COMPILER_2019, NULL, 0, err) : rc;
            rc = rc == 0 && known[k].of_2021 ? instructions_of_2021(row, m, err) : rc;
            if (rc == 0 && known[k].instructions > 0) {
                fit_set_instructions(row, known[k].instructions);
            }
            atoll_model_close(&m);
        }
    }
    tsv_close(&t);
    return rc;
}

int fit_load_others(struct fit *f, struct atoll_err *err)
{
    /* How much of Inception v1 streams there is not stated, and a MiB costs 48 ms: hardly trusted.
     */
    static const struct alias micro[] = {
        {"Inception V1 [PreTrained]", "googlenet?classes=1001", "Dev Board Micro",
         "networks on the Micro", 0.4, true, 0},
        {"MobileNet V1 (0.50) [PreTrained]", "mobilenet_v1?alpha=0.5&size=160", "Dev Board Micro",
         "networks on the Micro", 0.05, true, 205936},
        {"MobileNet V3 [PreTrained]", "mobilenet_edgetpu", "Dev Board Micro",
         "networks on the Micro", 0.05, true, 0},
        {"MobileNet V2 [PreTrained]", "mobilenet_v2?classes=1001", "Dev Board Micro",
         "networks on the Micro", 0.05, true, 0},
    };
    static const struct alias steady[] = {
        {"Dense256 (66 KB)", "dense:256x1", "LibrEdgeTPU host, USB 3", "small dense", 0.05, false,
         0},
        {"Dense1024 (1.0 MB)", "dense:1024x1", "LibrEdgeTPU host, USB 3", "small dense", 0.05,
         false, 0},
        {"Dense2048 (4.0 MB)", "dense:2048x1", "LibrEdgeTPU host, USB 3", "small dense", 0.05,
         false, 0},
        {"PoseNet 481x641", "posenet:481x641", "LibrEdgeTPU host, USB 3", "PoseNet and BodyPix",
         0.05, false, 0},
    };
    int rc = aliased(f, "energy_calib.tsv", "model_or_state", "inference", micro,
                     sizeof micro / sizeof micro[0], err);
    return rc == 0 ? aliased(f, "load_times.tsv", "model_or_size", "cached", steady,
                             sizeof steady / sizeof steady[0], err)
                   : rc;
}
