/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes what was fitted back: the factors of the chip and the half-widths of the intervals into
 * the one table (src/cost/constants_table.h), constants of hosts into the board profiles.
 */
#include "fit.h"

#include <atoll/stats.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A constant of a host is written when the rows have narrowed what was known by at least this. */
#define INFORMED 0.9
#define SLASH_COLUMN 99u /* of the backslashes in constants_table.h */

/** The rest of the text, the backslash of its first line put back into its column. */
static void put_rest(struct atoll_buf *out, const char *end)
{
    const char *slash = strchr(end, '\\');
    const char *newline = strchr(end, '\n');
    if (slash == NULL || newline == NULL || slash > newline) {
        atoll_buf_puts(out, end);
        return;
    }
    size_t n = (size_t)(slash - end);
    while (n > 0 && end[n - 1u] == ' ') {
        n--;
    }
    atoll_buf_append(out, end, n);
    size_t column = 0;
    while (column < out->size && out->data[out->size - 1u - column] != '\n') {
        column++;
    }
    atoll_buf_printf(out, "%*s", column < SLASH_COLUMN ? (int)(SLASH_COLUMN - column) : 1, "");
    atoll_buf_puts(out, slash);
}

/** Replaces value and u95 in the line `X(ID, "name", value, u95, ...` of the table's text. */
static int set_constant(struct atoll_buf *text, const char *name, double value, double u95,
                        struct atoll_err *err)
{
    char key[80];
    char numbers[80];
    (void)snprintf(key, sizeof key, "\"%s\", ", name);
    const char *at = strstr(text->data, key);
    const char *from = at != NULL ? at + strlen(key) : NULL;
    const char *comma = from != NULL ? strchr(from, ',') : NULL;
    const char *end = comma != NULL ? strchr(comma + 1, ',') : NULL;
    if (end == NULL) {
        return atoll_fail(err, ATOLL_EINPUT, "constants_table.h: \"%s\" is missing", name);
    }
    (void)snprintf(numbers, sizeof numbers, "%.4g, %.2g", value, u95);
    struct atoll_buf out = {0};
    atoll_buf_append(&out, text->data, (size_t)(from - text->data));
    atoll_buf_puts(&out, numbers);
    put_rest(&out, end);
    if (out.failed) {
        atoll_buf_finish(&out);
        return atoll_fail_nomem(err, "constants_table.h", text->size);
    }
    atoll_buf_finish(text);
    *text = out;
    return 0;
}

/** Relative half-width of the time on the chip with which the stated interval of a row, its family
 *  left out, would just have held the truth: rel0 is the one it was stated with. */
static double needed_rel(const struct fit_row *r, double rel0)
{
    const double off = fmax(fabs(r->family_out_ms - r->ms) - r->half_ms, 0.0);
    const double chip = rel0 * r->family_out_layers_ms;
    const double rest2 = fmax(r->family_out_u95_ms * r->family_out_u95_ms - chip * chip, 0.0);
    const double missing2 = off * off - rest2;
    return missing2 > 0.0 ? sqrt(missing2) / r->family_out_layers_ms : 0.0;
}

/** The least half-width that covers nineteen of twenty rows of a family; not less than their own
 *  errors relative to the prediction, however wide the host's constants make the rest. */
static double one_family_u95(const struct fit *f, const char *family, double rel0)
{
    double *v = atoll_calloc(f->n_rows + 1u, sizeof *v);
    double *own = atoll_calloc(f->n_rows + 1u, sizeof *own);
    size_t n = 0;
    for (size_t i = 0; v != NULL && own != NULL && i < f->n_rows; i++) {
        const struct fit_row *r = &f->rows[i];
        if (strcmp(r->family, family) == 0 && isfinite(r->family_out_ms) &&
            r->sigma < FIT_SIGMA_NO_TEST) {
            v[n] = needed_rel(r, rel0);
            own[n++] = fmax(fabs(r->family_out_ms - r->ms) - r->half_ms, 0.0) / r->family_out_ms;
        }
    }
    double u95 = (double)NAN;
    if (n > 0) {
        atoll_sort(v, n);
        atoll_sort(own, n);
        u95 = fmax(atoll_quantile(v, n, 0.95), atoll_quantile(own, n, 0.95));
    }
    atoll_free(v);
    atoll_free(own);
    return u95;
}

/** Of several families the one that is known worst. */
static double family_u95(const struct fit *f, const char *name, const char *const *families)
{
    const double rel0 = atoll_constant_find(name)->value;
    double most = (double)NAN;
    for (int k = 0; families[k] != NULL; k++) {
        most = fmax(most, one_family_u95(f, families[k], rel0)); /* NAN: the other */
    }
    return most;
}

static int write_intervals(const struct fit *f, struct atoll_buf *text, struct atoll_err *err)
{
    static const char *const conv[] = {"ResNet-50 on the card", "BN-Inception on the card", NULL};
    static const char *const chain[] = {"7x7 chains", "convolution chains, cached", NULL};
    static const char *const depthwise[] = {"MobileNet v1", "PoseNet and BodyPix",
                                            "networks on the Micro", NULL};
    static const char *const dense[] = {"dense stacks", "dense chains that stream", NULL};
    static const struct {
        const char *name;
        const char *const *families;
    } rows[] = {{"rel_u95_convolutional", conv},
                {"rel_u95_chain", chain},
                {"rel_u95_depthwise", depthwise},
                {"rel_u95_dense", dense}};
    int rc = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rc == 0; i++) {
        const double u95 = family_u95(f, rows[i].name, rows[i].families);
        rc = isfinite(u95) ? set_constant(text, rows[i].name, u95, 0, err) : 0;
    }
    return rc;
}

static int write_table(const struct fit *f, const char *path, struct atoll_err *err)
{
    struct atoll_map map = {0};
    struct atoll_buf text = {0};
    int rc = atoll_map_open(path, &map, err);
    if (rc == 0) {
        atoll_buf_append(&text, map.data, map.size);
        atoll_map_close(&map);
    }
    for (int i = 0; i < f->n_params && rc == 0; i++) {
        const struct fit_param *p = &f->params[i];
        if (p->place == FIT_CHIP) {
            const double v = exp(p->log_value);
            rc = set_constant(&text, fit_class_constant[p->chip], v, v * p->rel_u95, err);
        }
    }
    rc = rc == 0 ? write_intervals(f, &text, err) : rc;
    rc = rc == 0 ? atoll_write_file(path, text.data, text.size, err) : rc;
    atoll_buf_finish(&text);
    return rc;
}

/** Puts one fitted quantity into a profile. */
static void set_quantity(struct atoll_quantity *q, const struct fit_param *p, const char *source,
                         const char *date)
{
    const bool informed = p->rel_u95 < INFORMED * 1.96 * p->sigma;
    q->value = exp(p->log_value);
    q->u95 = q->value * p->rel_u95;
    if (informed) {
        q->source = source;
        q->assumed = false;
        q->date = date;
    } else if (!q->assumed) {
        q->source = "assumption: median of hosts with this link";
        q->assumed = true;
    }
}

static void set_host(const struct fit *f, int host, struct atoll_board *board, const char *source,
                     const char *date)
{
    for (int i = 0; i < f->n_params; i++) {
        const struct fit_param *p = &f->params[i];
        if (p->host != host || (p->place != FIT_BOARD && p->place != FIT_DRIVE)) {
            continue;
        }
        if (p->place == FIT_BOARD) {
            set_quantity((struct atoll_quantity *)(void *)((char *)board + p->offset), p, source,
                         date);
            continue;
        }
        for (int d = 0; d < 2; d++) {
            if (p->drive == 2 || p->drive == d) {
                char *drive = (char *)&board->drive[f->hosts[host].runner][d];
                set_quantity((struct atoll_quantity *)(void *)(drive + p->offset), p, source, date);
            }
        }
    }
}

static size_t rows_of(const struct fit *f, int host)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_rows; i++) {
        n += f->rows[i].host == host && !f->rows[i].shown;
    }
    return n;
}

/** What the small fits found: loading on USB 3, arithmetic on the Micro. Half-widths are those of
 * rows left out. */
static void set_extra(const struct fit *f, struct atoll_board *b, const char *date)
{
    if (strcmp(b->name, "usb3_x86") == 0) {
        b->load_us = (struct atoll_quantity){.value = f->load_ms * 1e3,
                                             .u95 = 0.9 * f->load_ms * 1e3,
                                             .source = "fit: load_times.tsv, USB Accelerator",
                                             .date = date};
        b->load_us_per_mib =
            (struct atoll_quantity){.value = f->load_ms_per_mib * 1e3,
                                    .u95 = 0.25 * f->load_ms_per_mib * 1e3,
                                    .source = "fit: load_times.tsv, USB Accelerator",
                                    .date = date};
    }
    if (strcmp(b->name, "dev_board_micro") == 0) {
        b->mj_per_gmac = (struct atoll_quantity){
            .value = f->mj_per_gmac,
            .u95 = 0.5 * f->mj_per_gmac,
            .source = "fit: pretrained networks of energy_calib.tsv over the idle board",
            .date = date};
    }
}

/** Writes a profile with the constants of every host that belongs to it. */
static int write_profile(const struct fit *f, int first, const char *dir, const char *date,
                         struct atoll_err *err)
{
    char sources[FIT_HOSTS_MAX][128];
    struct atoll_board board = *f->hosts[first].opened;
    for (int h = first; h < f->n_hosts; h++) {
        if (f->hosts[h].writes && strcmp(f->hosts[h].profile, f->hosts[first].profile) == 0) {
            (void)snprintf(sources[h], sizeof sources[h], "fit: %zu rows of %s", rows_of(f, h),
                           f->hosts[h].name);
            set_host(f, h, &board, sources[h], date);
        }
    }
    set_extra(f, &board, date);
    struct atoll_buf path = {0};
    atoll_buf_printf(&path, "%s/share/boards/%s.yaml", dir, board.name);
    char *text = atoll_board_text(&board);
    const int rc = text == NULL || path.failed
                       ? atoll_fail_nomem(err, "board profile", 0)
                       : atoll_write_file(path.data, text, strlen(text), err);
    atoll_free(text);
    atoll_buf_finish(&path);
    return rc;
}

int fit_write(const struct fit *f, const char *source_dir, struct atoll_err *err)
{
    char now[32];
    struct atoll_buf path = {0};
    atoll_wall_iso8601(now);
    now[10] = '\0'; /* the date alone */
    atoll_buf_printf(&path, "%s/src/cost/constants_table.h", source_dir);
    int rc = path.failed ? atoll_fail_nomem(err, "path", 0) : write_table(f, path.data, err);
    atoll_buf_finish(&path);
    for (int h = 0; h < f->n_hosts && rc == 0; h++) {
        bool done = !f->hosts[h].writes;
        for (int before = 0; before < h && !done; before++) {
            done = f->hosts[before].writes &&
                   strcmp(f->hosts[before].profile, f->hosts[h].profile) == 0;
        }
        rc = done ? 0 : write_profile(f, h, source_dir, now, err);
    }
    return rc;
}
