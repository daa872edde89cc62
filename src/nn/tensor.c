/* SPDX-License-Identifier: Apache-2.0 */
/* Between images, scores and an interpreter's tensors. */
#include "nn_internal.h"

#include <math.h>
#include <string.h>

size_t atoll_interp_elements(const struct atoll_interp_tensor *t)
{
    const unsigned bits = atoll_type_bits(t->type);
    return bits == 0 ? 0 : t->bytes * 8 / bits;
}

double atoll_interp_real(const struct atoll_interp_tensor *t, size_t i)
{
    const uint8_t *p = t->data;
    double q = 0;
    switch (t->type) {
    case ATOLL_TYPE_FLOAT32: {
        float v;
        memcpy(&v, p + 4 * i, sizeof v);
        return (double)v;
    }
    case ATOLL_TYPE_UINT8:
        q = p[i];
        break;
    case ATOLL_TYPE_INT8:
        q = (int8_t)p[i];
        break;
    case ATOLL_TYPE_BOOL:
        return p[i] != 0;
    case ATOLL_TYPE_INT16: {
        int16_t v;
        memcpy(&v, p + 2 * i, sizeof v);
        q = v;
        break;
    }
    case ATOLL_TYPE_INT32: {
        int32_t v;
        memcpy(&v, p + 4 * i, sizeof v);
        q = v;
        break;
    }
    case ATOLL_TYPE_INT64: {
        int64_t v;
        memcpy(&v, p + 8 * i, sizeof v);
        q = (double)v;
        break;
    }
    default:
        return NAN;
    }
    return t->scale > 0 ? (q - t->zero_point) * (double)t->scale : q;
}

uint32_t atoll_interp_top(const struct atoll_interp_tensor *t, uint32_t k, struct atoll_top *top)
{
    const size_t n = atoll_interp_elements(t);
    uint32_t have = 0;
    for (size_t i = 0; i < n && k > 0; i++) {
        const double score = atoll_interp_real(t, i);
        if (have == k && !(score > top[k - 1].score)) {
            continue;
        }
        uint32_t at = have < k ? have++ : k - 1;
        while (at > 0 && score > top[at - 1].score) {
            top[at] = top[at - 1];
            at--;
        }
        top[at] = (struct atoll_top){(uint32_t)i, score};
    }
    return have;
}

/* ------------------------------------------------------------------- images */

static int image_sizes(const struct atoll_interp_tensor *t, uint32_t *height, uint32_t *width,
                       uint32_t *channels, struct atoll_err *err)
{
    const bool flat = t->rank == 3; /* [1, H, W]: grey */
    if ((t->rank != 4 && !flat) || t->shape[0] != 1 || t->shape[1] < 1 || t->shape[2] < 1 ||
        (!flat && t->shape[3] != 1 && t->shape[3] != 3)) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "input %s takes no image: [1, height, width, 1 or 3] expected", t->name);
    }
    *height = (uint32_t)t->shape[1];
    *width = (uint32_t)t->shape[2];
    *channels = flat ? 1 : (uint32_t)t->shape[3];
    return 0;
}

/* What each of the 256 pixel values becomes in one channel. */
static void make_bytes(const struct atoll_interp_tensor *t, const struct atoll_preprocess *p,
                       float mean, float std, uint8_t table[256])
{
    const int low = t->type == ATOLL_TYPE_INT8 ? -128 : 0;
    for (int i = 0; i < 256; i++) {
        double q = i + low;
        if (p->normalize) {
            q = rint((double)(((float)i - mean) / std) / (double)t->scale) + t->zero_point;
        }
        q = q < low ? low : q > low + 255 ? low + 255 : q;
        table[i] = (uint8_t)((int)q & 0xff);
    }
}

static void put_bytes(const struct atoll_interp_tensor *t, const struct atoll_preprocess *p,
                      const uint8_t *pixels, size_t n, uint32_t channels)
{
    uint8_t table[3][256];
    uint8_t *out = t->data;
    for (uint32_t c = 0; c < channels; c++) {
        float mean = 0, std = 1;
        atoll_preprocess_norm(p, c, channels, &mean, &std);
        make_bytes(t, p, mean, std, table[c]);
    }
    for (size_t i = 0; i < n; i += channels) {
        for (uint32_t c = 0; c < channels; c++) {
            out[i + c] = table[c][pixels[i + c]];
        }
    }
}

static void put_floats(const struct atoll_interp_tensor *t, const struct atoll_preprocess *p,
                       const uint8_t *pixels, size_t n, uint32_t channels)
{
    float table[3][256];
    float *out = t->data;
    for (uint32_t c = 0; c < channels; c++) {
        float mean = 0, std = 255;
        if (p->normalize) {
            atoll_preprocess_norm(p, c, channels, &mean, &std);
        }
        for (int i = 0; i < 256; i++) {
            table[c][i] = ((float)i - mean) / std;
        }
    }
    for (size_t i = 0; i < n; i += channels) {
        for (uint32_t c = 0; c < channels; c++) {
            out[i + c] = table[c][pixels[i + c]];
        }
    }
}

int atoll_interp_put_image(const struct atoll_interp_tensor *t, const struct atoll_preprocess *p,
                           const struct atoll_image *image, struct atoll_image *scratch,
                           struct atoll_err *err)
{
    uint32_t height = 0, width = 0, channels = 0;
    int rc = image_sizes(t, &height, &width, &channels, err);
    const bool bytes = t->type == ATOLL_TYPE_UINT8 || t->type == ATOLL_TYPE_INT8;
    if (rc == 0 && !bytes && t->type != ATOLL_TYPE_FLOAT32) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "input %s is %s (UINT8, INT8 or FLOAT32 expected)", t->name,
                          atoll_type_name(t->type));
    }
    if (rc == 0 && p->normalize && bytes && !(t->scale > 0)) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "input %s has no scale, so it takes no normalized values", t->name);
    }
    rc = rc ? rc : atoll_preprocess_pixels(p, image, width, height, channels, scratch, err);
    if (rc != 0) {
        return rc;
    }
    const size_t n = (size_t)height * width * channels;
    if (bytes) {
        put_bytes(t, p, scratch->pixels, n, channels);
    } else {
        put_floats(t, p, scratch->pixels, n, channels);
    }
    return 0;
}
