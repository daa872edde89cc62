/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of the 8 MiB on chip is left for parameters. Nobody has explained what lowers it (it is
 * no function of the largest live activation), so it is a table of situations seen in compiler
 * logs, joined by straight lines over the image size. An assumption, and shown as one.
 */
#include "cost_internal.h"

/** A point of a budget curve: image side and MiB (a constant of the table). */
struct point {
    double px;
    enum atoll__k mib;
};
static const struct point residual[] = {{96, ATOLL__K_BUDGET_INNER},
                                        {224, ATOLL__K_BUDGET_RESIDUAL_224},
                                        {512, ATOLL__K_BUDGET_512},
                                        {768, ATOLL__K_BUDGET_768}};
static const struct point branching[] = {{96, ATOLL__K_BUDGET_INNER},
                                         {224, ATOLL__K_BUDGET_BRANCH_224},
                                         {299, ATOLL__K_BUDGET_BRANCH_299},
                                         {512, ATOLL__K_BUDGET_512},
                                         {768, ATOLL__K_BUDGET_768}};
static const struct point plain[] = {{96, ATOLL__K_BUDGET_INNER},
                                     {224, ATOLL__K_BUDGET_PLAIN_224},
                                     {512, ATOLL__K_BUDGET_512},
                                     {768, ATOLL__K_BUDGET_768}};

static double line(double x, double x0, double y0, double x1, double y1)
{
    if (x <= x0) {
        return y0;
    }
    return x >= x1 ? y1 : y0 + (y1 - y0) * (x - x0) / (x1 - x0);
}

static double on_curve(const struct atoll__constants *k, const struct point *p, size_t n, double px)
{
    for (size_t i = 1; i < n; i++) {
        if (px <= p[i].px) {
            return line(px, p[i - 1].px, k->v[p[i - 1].mib], p[i].px, k->v[p[i].mib]);
        }
    }
    return k->v[p[n - 1].mib];
}

/** A budget of the table, with the half-width that it has there. */
static struct atoll__budget entry(const struct atoll__constants *k, enum atoll__k id,
                                  const char *why)
{
    size_t n;
    return (struct atoll__budget){k->v[id], atoll_constants(&n)[id].u95, why};
}

/** A budget on a curve: the wider half-width of the two points around it. */
static struct atoll__budget curve(const struct atoll__constants *k, const struct point *p, size_t n,
                                  double px, const char *why)
{
    struct atoll__budget b = entry(k, p[n - 1].mib, why);
    b.mib = on_curve(k, p, n, px);
    for (size_t i = 1; i < n; i++) {
        if (px <= p[i].px) {
            const double low = entry(k, p[i - 1].mib, why).u95_mib;
            const double high = entry(k, p[i].mib, why).u95_mib;
            b.u95_mib = px < p[i].px && low > high ? low : high;
            break;
        }
    }
    return b;
}

struct atoll__budget atoll__cost_budget(const struct atoll__constants *k,
                                        const struct atoll__situation *s)
{
    const double px = (double)s->image_px;
    if (!s->has_array) {
        return entry(k, ATOLL__K_BUDGET_DENSE, "fully connected layers only");
    }
    if (s->image_px > 0 && s->has_concat && px > residual[0].px) {
        return curve(k, branching, sizeof branching / sizeof branching[0], px,
                     "image input, network with concatenations (GoogLeNet, Inception)");
    }
    if (s->image_px > 0 && s->has_add && px > residual[0].px) {
        return curve(k, residual, sizeof residual / sizeof residual[0], px,
                     "image input, residual network (ResNet)");
    }
    if (s->image_px > 0 && px > residual[0].px) {
        return curve(k, plain, sizeof plain / sizeof plain[0], px,
                     "image input, one synthetic network at four sizes");
    }
    if (!s->has_add && !s->has_concat && s->image_px > 0 && 2.0 * px > residual[0].px) {
        return entry(k, ATOLL__K_BUDGET_CHAIN, "convolution chain on a 64 pixel image");
    }
    struct atoll__budget b =
        entry(k, ATOLL__K_BUDGET_INNER, "inner segment or small image (CIFAR networks)");
    const double wide = (double)s->input_bytes / ATOLL__MIB;
    if (s->image_px == 0 && wide > k->v[ATOLL__K_WIDE_LOW]) {
        b.mib = line(wide, k->v[ATOLL__K_WIDE_LOW], k->v[ATOLL__K_BUDGET_INNER],
                     k->v[ATOLL__K_WIDE_HIGH], k->v[ATOLL__K_BUDGET_WIDE]);
        b.why = "inner segment with a wide boundary tensor";
    }
    return b;
}

double atoll_cost_most_kept_bytes(const struct atoll_cost *c, bool on_array, bool reads_image)
{
    struct atoll__situation s = {.has_array = on_array};
    for (uint32_t i = 0; i < c->model->n_inputs && reads_image; i++) {
        const uint64_t px = c->tensors[c->model->inputs[i]].image_px;
        s.image_px = px > s.image_px ? px : s.image_px;
    }
    double most_mib = 0;
    for (int i = 0; i < 8; i++) {
        s.has_add = (i & 1) != 0;
        s.has_concat = (i & 2) != 0;
        s.input_bytes = (i & 4) != 0 ? UINT64_MAX / 2 : 0;
        const double mib = atoll__cost_budget(c->k, &s).mib;
        most_mib = mib > most_mib ? mib : most_mib;
    }
    return most_mib * ATOLL__MIB;
}
