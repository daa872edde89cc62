/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing and cropping as one resampling: each output pixel of an axis is a weighted mean of a few
 * source pixels (taps), first along the rows, then along the columns. */
#include "data_internal.h"

#include <math.h>
#include <string.h>

/* Output position x lies at x + offset of `virtual_size` pixels, onto which `size` source pixels
 * from `start` on are spread. */
struct axis {
    uint32_t start, size, virtual_size, offset, out;
};
struct taps {
    uint32_t *first, *count; /* of each output position */
    float *weight;           /* `most` for each position */
    uint32_t most;
};

struct atoll_preprocess atoll_preprocess_default(void)
{
    return (struct atoll_preprocess){.rule = ATOLL_RESIZE_STRETCH,
                                     .filter = ATOLL_FILTER_BILINEAR,
                                     .crop_frac = 1.0,
                                     .std = {1, 1, 1}};
}

void atoll_preprocess_norm(const struct atoll_preprocess *p, uint32_t c, uint32_t channels,
                           float *mean, float *std)
{
    if (channels == 1) {
        *mean = (p->mean[0] + p->mean[1] + p->mean[2]) / 3;
        *std = (p->std[0] + p->std[1] + p->std[2]) / 3;
        return;
    }
    const uint32_t from = p->bgr ? 2 - c : c;
    *mean = p->mean[from];
    *std = p->std[from];
}

/* --------------------------------------------------------------------- taps */

/* Two neighbours around `at` (in source pixels from the axis' start), clamped to the source. */
static void tap_bilinear(const struct axis *a, struct taps *t, uint32_t x, double at)
{
    const double last = (double)a->size - 1;
    at = at < 0 ? 0 : at > last ? last : at;
    const uint32_t low = (uint32_t)at;
    const uint32_t high = low + 1 < a->size ? low + 1 : low;
    t->first[x] = a->start + low;
    t->count[x] = high - low + 1;
    t->weight[(size_t)x * t->most] = high > low ? (float)(1 - (at - low)) : 1;
    if (high > low) {
        t->weight[(size_t)x * t->most + 1] = (float)(at - low);
    }
}

/* Every source pixel by the share of it that the output pixel covers. */
static void tap_area(const struct axis *a, struct taps *t, uint32_t x, double from, double to)
{
    to = to > a->size ? a->size : to;
    const uint32_t low = from < a->size - 1 ? (uint32_t)from : a->size - 1;
    uint32_t n = 0;
    double sum = 0;
    for (uint32_t s = low; s < a->size && (double)s < to && n < t->most; s++, n++) {
        const double left = from > s ? from : s;
        const double right = to < s + 1.0 ? to : s + 1.0;
        t->weight[(size_t)x * t->most + n] = (float)(right - left);
        sum += right - left;
    }
    if (n == 0 || !(sum > 1e-9)) {
        n = 1;
        t->weight[(size_t)x * t->most] = 1;
        sum = 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        t->weight[(size_t)x * t->most + i] /= (float)sum;
    }
    t->first[x] = a->start + low;
    t->count[x] = n;
}

static int make_taps(const struct axis *a, enum atoll_resize_filter filter, struct taps *t,
                     struct atoll_err *err)
{
    const double scale = (double)a->size / a->virtual_size;
    t->most = filter == ATOLL_FILTER_AREA ? (uint32_t)ceil(scale) + 1 : 2;
    t->first = atoll_calloc(a->out, sizeof *t->first);
    t->count = atoll_calloc(a->out, sizeof *t->count);
    t->weight = atoll_calloc((size_t)a->out * t->most, sizeof *t->weight);
    if (t->first == NULL || t->count == NULL || t->weight == NULL) {
        return atoll_fail_nomem(err, "resampling weights", (size_t)a->out * t->most);
    }
    for (uint32_t x = 0; x < a->out; x++) {
        const double v = (double)x + a->offset;
        switch (filter) {
        case ATOLL_FILTER_BILINEAR:
            tap_bilinear(a, t, x, v * scale);
            break;
        case ATOLL_FILTER_CENTRE:
            tap_bilinear(a, t, x, (v + 0.5) * scale - 0.5);
            break;
        case ATOLL_FILTER_AREA:
            tap_area(a, t, x, v * scale, (v + 1) * scale);
            break;
        case ATOLL_FILTER_NEAREST:
            tap_bilinear(a, t, x, floor(v * scale));
            break;
        }
    }
    return 0;
}

static void free_taps(struct taps *t)
{
    atoll_free(t->first);
    atoll_free(t->count);
    atoll_free(t->weight);
}

/* --------------------------------------------------------------- resampling */

/* One source row to out[width * channels]. */
static void along_row(const struct taps *t, const uint8_t *row, uint32_t width, uint32_t channels,
                      float *out)
{
    for (uint32_t x = 0; x < width; x++, out += channels) {
        const float *w = t->weight + (size_t)x * t->most;
        const uint8_t *p = row + (size_t)t->first[x] * channels;
        for (uint32_t c = 0; c < channels; c++) {
            float sum = 0;
            for (uint32_t i = 0; i < t->count[x]; i++) {
                sum += w[i] * (float)p[i * channels + c];
            }
            out[c] = sum;
        }
    }
}

static uint8_t to_byte(float v)
{
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)(v + 0.5f);
}

/* Source rows come in order; the last ones are kept, so that each is made once. */
struct rows {
    float *data; /* most * stride */
    int64_t *holds;
    uint32_t most;
    size_t stride;
};

static const float *get_row(struct rows *r, const struct taps *tx, const struct atoll_image *in,
                            uint32_t width, uint32_t y)
{
    const uint32_t at = y % r->most;
    float *row = r->data + at * r->stride;
    if (r->holds[at] != y) {
        along_row(tx, in->pixels + (size_t)y * in->width * in->channels, width, in->channels, row);
        r->holds[at] = y;
    }
    return row;
}

static int resample(const struct atoll_image *in, const struct taps *tx, const struct taps *ty,
                    struct atoll_image *out, struct atoll_err *err)
{
    struct rows r = {.most = ty->most, .stride = (size_t)out->width * in->channels};
    r.data = atoll_alloc(r.most * r.stride * sizeof *r.data);
    r.holds = atoll_alloc(r.most * sizeof *r.holds);
    float *sum = atoll_alloc(r.stride * sizeof *sum);
    const bool ok = r.data != NULL && r.holds != NULL && sum != NULL;
    for (uint32_t i = 0; ok && i < r.most; i++) {
        r.holds[i] = -1;
    }
    for (uint32_t y = 0; ok && y < out->height; y++) {
        memset(sum, 0, r.stride * sizeof *sum);
        for (uint32_t i = 0; i < ty->count[y]; i++) {
            const float w = ty->weight[(size_t)y * ty->most + i];
            const float *row = get_row(&r, tx, in, out->width, ty->first[y] + i);
            for (size_t k = 0; k < r.stride; k++) {
                sum[k] += w * row[k];
            }
        }
        uint8_t *to = out->pixels + y * r.stride;
        for (size_t k = 0; k < r.stride; k++) {
            to[k] = to_byte(sum[k]);
        }
    }
    atoll_free(r.data);
    atoll_free(r.holds);
    atoll_free(sum);
    return ok ? 0 : atoll_fail_nomem(err, "rows of an image", r.most * r.stride * sizeof(float));
}

/* ----------------------------------------------------------------- the rule */

static int axis_of(const struct atoll_preprocess *p, uint32_t in, uint32_t in_short, uint32_t out,
                   struct axis *a, struct atoll_err *err)
{
    *a = (struct axis){.size = in, .virtual_size = out, .out = out};
    if (p->rule == ATOLL_RESIZE_SHORT) {
        const double virtual_size = floor((double)in * p->short_side / in_short + 1e-9);
        if (virtual_size < out || virtual_size > 16.0 * ATOLL_IMAGE_SIDE_MAX) {
            return atoll_fail(err, ATOLL_EUSAGE,
                              "resize: the shorter side becomes %u pixels, the model wants %u",
                              p->short_side, out);
        }
        a->virtual_size = (uint32_t)virtual_size;
        a->offset = (uint32_t)lround((virtual_size - out) / 2);
    } else if (p->rule == ATOLL_RESIZE_CROP) {
        if (!(p->crop_frac > 0 && p->crop_frac <= 1)) {
            return atoll_fail(err, ATOLL_EUSAGE,
                              "crop: a share of %g (above 0, at most 1 expected)", p->crop_frac);
        }
        a->size = (uint32_t)lround(in * p->crop_frac);
        a->size = a->size > 0 ? a->size : 1;
        a->start = (in - a->size) / 2;
    }
    return 0;
}

static int scale_image(const struct atoll_preprocess *p, const struct atoll_image *in,
                       uint32_t width, uint32_t height, struct atoll_image *out,
                       struct atoll_err *err)
{
    struct axis ax, ay;
    struct taps tx = {0}, ty = {0};
    const uint32_t in_short = in->width < in->height ? in->width : in->height;
    int rc = axis_of(p, in->width, in_short, width, &ax, err);
    rc = rc ? rc : axis_of(p, in->height, in_short, height, &ay, err);
    rc = rc ? rc : atoll_image_resize(out, width, height, in->channels, err);
    if (rc != 0) {
        return rc;
    }
    if (ax.size == width && ay.size == height && ax.virtual_size == width &&
        ay.virtual_size == height && in->width == width) {
        const size_t from = (size_t)ay.start * in->width * in->channels;
        memcpy(out->pixels, in->pixels + from, (size_t)width * height * in->channels);
        return 0;
    }
    rc = make_taps(&ax, p->filter, &tx, err);
    rc = rc ? rc : make_taps(&ay, p->filter, &ty, err);
    rc = rc ? rc : resample(in, &tx, &ty, out, err);
    free_taps(&tx);
    free_taps(&ty);
    return rc;
}

/* ----------------------------------------------------------------- channels */

static void to_grey(struct atoll_image *image) /* Rec. 601 */
{
    const size_t n = (size_t)image->width * image->height;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = image->pixels + 3 * i;
        image->pixels[i] = (uint8_t)((299u * p[0] + 587u * p[1] + 114u * p[2] + 500) / 1000);
    }
    image->channels = 1;
}

static int to_colour(struct atoll_image *image, struct atoll_err *err)
{
    const size_t n = (size_t)image->width * image->height;
    const int rc = atoll_image_resize(image, image->width, image->height, 3, err);
    for (size_t i = n; rc == 0 && i > 0; i--) {
        const uint8_t grey = image->pixels[i - 1];
        memset(image->pixels + 3 * (i - 1), grey, 3);
    }
    return rc;
}

static void swap_red_and_blue(struct atoll_image *image)
{
    const size_t n = (size_t)image->width * image->height;
    for (size_t i = 0; i < n; i++) {
        uint8_t *p = image->pixels + 3 * i;
        const uint8_t red = p[0];
        p[0] = p[2];
        p[2] = red;
    }
}

int atoll_preprocess_pixels(const struct atoll_preprocess *p, const struct atoll_image *in,
                            uint32_t width, uint32_t height, uint32_t channels,
                            struct atoll_image *out, struct atoll_err *err)
{
    if (channels != 1 && channels != 3) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED, "a model input of %u channels (1 or 3 expected)",
                          channels);
    }
    int rc = scale_image(p, in, width, height, out, err);
    if (rc == 0 && out->channels == 3 && channels == 1) {
        to_grey(out);
    } else if (rc == 0 && out->channels == 1 && channels == 3) {
        rc = to_colour(out, err);
    }
    if (rc == 0 && channels == 3 && p->bgr) {
        swap_red_and_blue(out);
    }
    return rc;
}
