/* SPDX-License-Identifier: Apache-2.0 */
/* Predicted against measured, both axes logarithmic, as SVG files for the method page. */
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIDE 460.0 /* of the square with the points, px */
#define LEFT 70.0
#define TOP 46.0

/** Rows of one picture. */
struct picture {
    const char *file, *title;
    const char *families[6]; ///< one colour each; NULL-terminated
};
static const struct picture pictures[] = {
    {"fit-networks",
     "Networks on single devices",
     {"MobileNet v1", "PoseNet and BodyPix", "networks on the Micro", NULL}},
    {"fit-card",
     "Pipelines on the 8-TPU card",
     {"ResNet-50 on the card", "BN-Inception on the card", "copies on the card", NULL}},
    {"fit-chains",
     "Synthetic chains and transfers",
     {"dense chains that stream", "dense stacks", "convolution chains, cached", "7x7 chains",
      "transfers", NULL}},
};
static const char *const colours[] = {"#1f6fb4", "#d1495b", "#2e8b57", "#b8860b", "#6a4c93"};

struct range {
    double low, high; ///< decimal logarithms
};

static const char *colour_of(const struct picture *p, const char *family)
{
    for (int i = 0; p->families[i] != NULL; i++) {
        if (strcmp(p->families[i], family) == 0) {
            return colours[i];
        }
    }
    return NULL;
}

static struct range range_of(const struct fit *f, const struct picture *p)
{
    struct range r = {9, -9};
    for (size_t i = 0; i < f->n_rows; i++) {
        if (colour_of(p, f->rows[i].family) != NULL) {
            const double ms[] = {log10(f->rows[i].ms), log10(f->rows[i].predicted_ms)};
            for (int k = 0; k < 2; k++) {
                r.low = ms[k] < r.low ? ms[k] : r.low;
                r.high = ms[k] > r.high ? ms[k] : r.high;
            }
        }
    }
    return (struct range){r.low - 0.08, r.high + 0.08};
}

static double place(struct range r, double ms)
{
    return (log10(ms) - r.low) / (r.high - r.low) * SIDE;
}

static void put_axes(struct atoll_buf *o, struct range r)
{
    static const double steps[] = {1, 2, 5};
    for (int decade = -2; decade <= 3; decade++) {
        for (int s = 0; s < 3; s++) {
            const double ms = steps[s] * pow(10, decade);
            const double at = place(r, ms);
            if (at < 0 || at > SIDE) {
                continue;
            }
            atoll_buf_printf(o,
                             "<path d='M%.1f %.1fv%.1fM%.1f %.1fh%.1f' stroke='#8884' fill='none'/>"
                             "<text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>"
                             "<text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n",
                             LEFT + at, TOP, SIDE, LEFT, TOP + SIDE - at, SIDE, LEFT + at,
                             TOP + SIDE + 18, ms, LEFT - 6, TOP + SIDE - at + 4, ms);
        }
    }
    atoll_buf_printf(
        o,
        "<path d='M%.1f %.1fl%.1f -%.1f' stroke='#888' fill='none'/>"
        "<text x='%.1f' y='%.1f' text-anchor='middle'>measured, ms</text>"
        "<text transform='translate(16 %.1f) rotate(-90)' text-anchor='middle'>predicted "
        "(row left out), ms</text>\n",
        LEFT, TOP + SIDE, SIDE, SIDE, LEFT + SIDE / 2, TOP + SIDE + 38, TOP + SIDE / 2);
}

static void put_points(struct atoll_buf *o, const struct fit *f, const struct picture *p,
                       struct range r)
{
    for (size_t i = 0; i < f->n_rows; i++) {
        const struct fit_row *row = &f->rows[i];
        const char *colour = colour_of(p, row->family);
        const double ms = isfinite(row->row_out_ms) ? row->row_out_ms : row->predicted_ms;
        if (colour != NULL) {
            atoll_buf_printf(o,
                             "<circle cx='%.1f' cy='%.1f' r='3.2' fill='%s' fill-opacity='0.7'/>\n",
                             LEFT + place(r, row->ms), TOP + SIDE - place(r, ms), colour);
        }
    }
    for (int i = 0; p->families[i] != NULL; i++) {
        atoll_buf_printf(
            o, "<circle cx='%.1f' cy='%.1f' r='4' fill='%s'/><text x='%.1f' y='%.1f'>%s</text>\n",
            LEFT + 14, TOP + 16 + 18 * i, colours[i], LEFT + 24, TOP + 20 + 18 * i, p->families[i]);
    }
}

int fit_write_plots(const struct fit *f, const char *source_dir, struct atoll_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0] && rc == 0; i++) {
        const struct picture *p = &pictures[i];
        const struct range r = range_of(f, p);
        struct atoll_buf o = {0};
        struct atoll_buf path = {0};
        atoll_buf_printf(&path, "%s/docs/img/%s.svg", source_dir, p->file);
        atoll_buf_printf(
            &o,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' "
            "font-family='sans-serif' font-size='12' fill='#777'>\n"
            "<!-- SPDX-License-Identifier: Apache-2.0; written by ./run fit -->\n"
            "<text x='%.1f' y='24' font-size='15'>%s</text>\n",
            LEFT + SIDE + 20, TOP + SIDE + 50, LEFT + SIDE + 20, LEFT, p->title);
        put_axes(&o, r);
        put_points(&o, f, p, r);
        atoll_buf_puts(&o, "</svg>\n");
        rc = o.failed || path.failed ? atoll_fail_nomem(err, p->file, 0)
                                     : atoll_write_file(path.data, o.data, o.size, err);
        atoll_buf_finish(&o);
        atoll_buf_finish(&path);
    }
    return rc;
}
