/* SPDX-License-Identifier: Apache-2.0 */
/* ./run fit --from DATA: fits, cross-validates, reports, and writes the constants back. */
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
    "usage: fit --from DATA [--share DIR] [--source DIR] [--print-only] [--rows] [--no-cross]\n"
    "  --from DATA   directory of the tables (networks_latency.tsv, board_8tpu.tsv, ...)\n"
    "  --share DIR   directory of the board profiles that the fit starts from\n"
    "  --source DIR  source tree whose table, profiles and plots are rewritten (default: .)\n"
    "  --print-only  do not rewrite docs/cost-fit.md, docs/img,\n"
    "                src/cost/constants_table.h and share/boards\n"
    "  --rows        every row with its errors\n"
    "  --no-cross    only the fit, no cross-validation\n";

struct options {
    const char *from, *share, *source;
    bool print_only, no_cross, rows;
};

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--from") == 0 && more) {
            o->from = argv[++i];
        } else if (strcmp(argv[i], "--share") == 0 && more) {
            o->share = argv[++i];
        } else if (strcmp(argv[i], "--source") == 0 && more) {
            o->source = argv[++i];
        } else if (strcmp(argv[i], "--print-only") == 0) {
            o->print_only = true;
        } else if (strcmp(argv[i], "--no-cross") == 0) {
            o->no_cross = true;
        } else if (strcmp(argv[i], "--rows") == 0) {
            o->rows = true;
        } else {
            return false;
        }
    }
    return o->from != NULL;
}

static int load(struct fit *f, struct atoll_err *err)
{
    int rc = fit_open_hosts(f, err);
    rc = rc == 0 ? fit_load_networks(f, err) : rc;
    rc = rc == 0 ? fit_load_sweeps(f, err) : rc;
    rc = rc == 0 ? fit_load_card(f, err) : rc;
    rc = rc == 0 ? fit_load_others(f, err) : rc;
    rc = rc == 0 ? fit_load_synthetic(f, err) : rc;
    return rc == 0 ? fit_load_pipes(f, err) : rc;
}

static int run(struct fit *f, const struct options *o, struct atoll_err *err)
{
    int rc = load(f, err);
    bool *use = rc == 0 ? atoll_calloc(f->n_rows, sizeof *use) : NULL;
    if (rc != 0 || use == NULL) {
        return rc != 0 ? rc : atoll_fail_nomem(err, "rows", f->n_rows);
    }
    for (size_t i = 0; i < f->n_rows; i++) {
        use[i] = !f->rows[i].shown;
    }
    rc = fit_solve(f, use, 40, true, err);
    atoll_free(use);
    for (size_t i = 0; i < f->n_rows && rc == 0; i++) {
        struct fit_row *r = &f->rows[i];
        r->predicted_ms = fit_predict(f, r);
        if (r->shown) { /* never part of the fit: left out from the start */
            r->row_out_ms = r->family_out_ms = r->predicted_ms;
            r->family_out_u95_ms = fit_predict_u95(f, r, &r->family_out_layers_ms);
        }
    }
    rc = rc == 0 && !o->no_cross ? fit_cross_validate(f, err) : rc;
    return rc;
}

/** The whole report: to stdout, or into docs/cost-fit.md. */
static int report(struct fit *f, const struct options *o, struct atoll_err *err)
{
    (void)fprintf(f->out,
                  "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
                  "# Report of the fit\n\nWritten by `./run fit`; what the columns mean stands in "
                  "[method-cost.md](method-cost.md).\n\n");
    fit_report(f, o->rows);
    int rc = fit_extra(f, err);
    return rc == 0 ? fit_depth(f, o->print_only ? NULL : o->source, err) : rc;
}

static int write_all(struct fit *f, const struct options *o, struct atoll_err *err)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/docs/cost-fit.md", o->source);
    f->out = fopen(path, "w");
    if (f->out == NULL) {
        return atoll_fail(err, ATOLL_EIO, "%s: cannot be written", path);
    }
    int rc = report(f, o, err);
    if (fclose(f->out) != 0 && rc == 0) {
        rc = atoll_fail(err, ATOLL_EIO, "%s: cannot be written", path);
    }
    rc = rc == 0 ? fit_write(f, o->source, err) : rc;
    rc = rc == 0 ? fit_write_plots(f, o->source, err) : rc;
    if (rc == 0) {
        (void)printf("%zu rows. Written: %s, docs/img, src/cost/constants_table.h, share/boards\n",
                     f->n_rows, path);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.source = "."};
    static struct fit f;
    struct atoll_err err = {0};
    if (!parse(argc, argv, &o)) {
        (void)fputs(usage_text, stderr);
        return 2;
    }
    f.data = o.from;
    f.share = o.share;
    f.out = stdout;
    int rc = run(&f, &o, &err);
    if (rc == 0) {
        rc = o.print_only ? report(&f, &o, &err) : write_all(&f, &o, &err);
    }
    fit_close(&f);
    if (rc != 0) {
        (void)fprintf(stderr, "fit: %s\n", err.text);
        return atoll_code_exit(rc);
    }
    return 0;
}
