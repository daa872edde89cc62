/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic chains. Dense ones teach the rate of streaming on PCIe; convolution chains have an
 * array factor of their own (they reach 1.0 to 1.6 where networks need 2.1) and so move no other
 * constant. Chains that stream wide convolutions are shown, not fitted: their weights travel
 * several times by a rule that nobody knows.
 */
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/** Sweeps used: one of each kind, the others repeat them. */
static bool wanted(const struct tsv *t, size_t i)
{
    static const char *const runs[] = {"conv1_main", "conv2l_b", "fc1_main", "fc5l_a"};
    for (size_t r = 0; r < sizeof runs / sizeof runs[0]; r++) {
        if (tsv_is(t, i, "run", runs[r])) {
            return tsv_number(t, i, "segments") < 2;
        }
    }
    return false;
}

/* Repeated runs of networks up to this many filters differ by a factor of two in the source. */
#define NARROW_FILTERS 60

/** Cached dense networks and narrow convolutions repeat within a factor of two; how often wide
 *  convolutions stream is a table. */
static double sigma_of(bool conv, bool streams, double width)
{
    if (conv) {
        return streams ? 0.5 : width <= NARROW_FILTERS ? FIT_SIGMA_NO_TEST : 0.05;
    }
    return streams ? 0.01 : FIT_SIGMA_NO_TEST;
}

/** Where the cache law keeps other layers than the compiler's log says, the row tells nothing of
 * the time laws (it is predicted all the same). */
static void distrust_other_split(struct fit_row *row, double log_off_mib)
{
    const double off_mib = (double)row->stages[0].program.off_chip_bytes / FIT_MIB;
    if (fabs(off_mib - log_off_mib) > 0.02) {
        row->sigma = FIT_SIGMA_NO_TEST;
    }
}

static int load_file(struct fit *f, const char *file, struct atoll_err *err)
{
    struct tsv t;
    int rc = tsv_open(f->data, file, &t, err);
    for (size_t i = 0; i < t.n_rows && rc == 0; i++) {
        const bool conv = tsv_is(&t, i, "net", "conv");
        const bool streams = tsv_number(&t, i, "offchip_mib") > 0.0;
        char spec[128];
        if (!wanted(&t, i)) {
            continue;
        }
        if (conv) {
            (void)snprintf(spec, sizeof spec, "conv_chain?layers=%s&filters=%s&bias=zero",
                           tsv_text(&t, i, "layers"), tsv_text(&t, i, "width"));
        } else {
            (void)snprintf(spec, sizeof spec,
                           "dense_chain?layers=%s&units=%s&inputs=%s&classes=%s&bias=zero",
                           tsv_text(&t, i, "layers"), tsv_text(&t, i, "width"),
                           tsv_text(&t, i, "input"), tsv_text(&t, i, "output"));
        }
        const char *family =
            conv ? (streams ? "convolution chains that stream" : "convolution chains, cached")
                 : (streams ? "dense chains that stream" : "dense chains, cached");
        const char *host = conv                           ? "Jorgitou98, convolutions"
                           : tsv_is(&t, i, "input", "64") ? "Jorgitou98, dense"
                                                          : "Jorgitou98, dense, 6912 inputs";
        rc = fit_add_whole(f, family, host, spec, spec, ATOLL_COMPILER_V16, tsv_number(&t, i, "ms"),
                           sigma_of(conv, streams, tsv_number(&t, i, "width")), err);
        if (rc == 0) {
            distrust_other_split(&f->rows[f->n_rows - 1u], tsv_number(&t, i, "offchip_mib"));
        }
    }
    tsv_close(&t);
    return rc;
}

static int load_stacks(struct fit *f, struct atoll_err *err)
{
    struct tsv t;
    int rc = tsv_open(f->data, "iwatake_sweeps.tsv", &t, err);
    for (size_t i = 0; i < t.n_rows && rc == 0; i++) {
        char host[64];
        char spec[32];
        if (!tsv_is(&t, i, "sweep", "conv7x7")) {
            continue;
        }
        (void)snprintf(host, sizeof host, "iwatake %s, USB %s, 7x7", tsv_text(&t, i, "host_mode"),
                       tsv_is(&t, i, "link", "usb3") ? "3" : "2");
        (void)snprintf(spec, sizeof spec, "conv7x7:%sx1", tsv_text(&t, i, "n"));
        rc = fit_add_whole(f, "7x7 chains", host, spec, spec, ATOLL_COMPILER_2019,
                           tsv_number(&t, i, "ms"), 0.02, err);
        if (rc == 0) {
            fit_force_streaming(&f->rows[f->n_rows - 1u], tsv_number(&t, i, "offchip_mib"));
        }
    }
    tsv_close(&t);
    return rc;
}

int fit_load_synthetic(struct fit *f, struct atoll_err *err)
{
    int rc = load_file(f, "synth_fc.tsv", err);
    rc = rc == 0 ? load_file(f, "synth_conv.tsv", err) : rc;
    return rc == 0 ? load_stacks(f, err) : rc;
}
