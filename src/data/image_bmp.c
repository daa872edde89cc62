/* SPDX-License-Identifier: Apache-2.0 */
/* Windows bitmaps without compression. File header 14 bytes, then a header whose first word is its
 * own size (12: the oldest kind, 16-bit sizes; 40 and more: BITMAPINFOHEADER and its successors),
 * palette, rows padded to 4 bytes, the last row first unless the height is negative. */
#include "data_internal.h"

#include <string.h>

struct bmp {
    const char *name;
    const uint8_t *b;
    size_t n;
    uint32_t pixels_at, header_bytes, bits, entry_bytes;
    uint32_t width, height;
    bool top_down;
    const uint8_t *palette; /* blue, green, red (and one unused byte in newer headers) */
    uint32_t n_palette;
};

static uint32_t u16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const uint8_t *p)
{
    return u16(p) | u16(p + 2) << 16;
}

static int read_sizes(struct bmp *f, struct atoll_err *err)
{
    if (f->n < 26) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: a bmp of %zu bytes (26 or more expected)",
                          f->name, f->n);
    }
    f->pixels_at = u32(f->b + 10);
    f->header_bytes = u32(f->b + 14);
    const bool old = f->header_bytes == 12;
    if (!old && (f->header_bytes < 40 || f->header_bytes > 1024 || f->n < 14 + f->header_bytes)) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: byte 14: a header of %u bytes in a file of %zu",
                          f->name, f->header_bytes, f->n);
    }
    f->entry_bytes = old ? 3 : 4;
    f->width = old ? u16(f->b + 18) : u32(f->b + 18);
    f->height = old ? u16(f->b + 20) : u32(f->b + 22);
    f->bits = old ? u16(f->b + 24) : u16(f->b + 28);
    if (!old && f->height > INT32_MAX) { /* negative: the first row comes first */
        f->top_down = true;
        f->height = 0u - f->height;
    }
    return 0;
}

/* Compression 0, or 3 (masks) when the masks say what 32-bit files hold anyway. */
static int check_kind(const struct bmp *f, struct atoll_err *err)
{
    static const uint32_t usual[3] = {0x00ff0000, 0x0000ff00, 0x000000ff};
    const uint32_t compression = f->header_bytes == 12 ? 0 : u32(f->b + 30);
    bool plain = compression == 0;
    if (compression == 3 && f->bits == 32 && f->n >= 66) {
        plain = true;
        for (size_t i = 0; i < 3; i++) {
            plain = plain && u32(f->b + 54 + 4 * i) == usual[i];
        }
    }
    if (!plain) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "%s: byte 30: compression %u (only plain bitmaps are read)", f->name,
                          compression);
    }
    if (f->bits != 1 && f->bits != 4 && f->bits != 8 && f->bits != 24 && f->bits != 32) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "%s: byte 28: %u bits a pixel (1, 4, 8, 24 or 32 expected)", f->name,
                          f->bits);
    }
    return 0;
}

static int read_palette(struct bmp *f, struct atoll_err *err)
{
    if (f->bits > 8) {
        return 0;
    }
    const uint32_t most = 1u << f->bits;
    const uint32_t used = f->header_bytes == 12 ? 0 : u32(f->b + 46);
    f->n_palette = used == 0 ? most : used;
    const size_t at = 14 + (size_t)f->header_bytes;
    if (f->n_palette > most || f->n < at + (size_t)f->n_palette * f->entry_bytes) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: byte %zu: a palette of %u colours does not fit",
                          f->name, at, f->n_palette);
    }
    f->palette = f->b + at;
    return 0;
}

static bool palette_is_grey(const struct bmp *f)
{
    for (uint32_t i = 0; i < f->n_palette; i++) {
        const uint8_t *c = f->palette + (size_t)i * f->entry_bytes;
        if (c[0] != c[1] || c[1] != c[2]) {
            return false;
        }
    }
    return true;
}

static uint32_t number_at(const struct bmp *f, const uint8_t *row, uint32_t x)
{
    const uint32_t per_byte = 8 / f->bits;
    const uint32_t shift = 8 - f->bits * (x % per_byte + 1);
    return (uint32_t)(row[x / per_byte] >> shift) & ((1u << f->bits) - 1);
}

static int row_by_palette(const struct bmp *f, const uint8_t *row, bool mask, uint8_t *out,
                          struct atoll_err *err)
{
    for (uint32_t x = 0; x < f->width; x++) {
        const uint32_t number = number_at(f, row, x);
        if (mask) {
            out[x] = (uint8_t)number;
            continue;
        }
        if (number >= f->n_palette) {
            return atoll_fail(err, ATOLL_EINPUT, "%s: a pixel has colour %u of %u", f->name, number,
                              f->n_palette);
        }
        const uint8_t *c = f->palette + (size_t)number * f->entry_bytes;
        memcpy(out + (size_t)3 * x, (const uint8_t[3]){c[2], c[1], c[0]}, 3);
    }
    return 0;
}

static void row_of_colours(const struct bmp *f, const uint8_t *row, uint8_t *out)
{
    const uint32_t step = f->bits / 8;
    for (uint32_t x = 0; x < f->width; x++, row += step, out += 3) {
        out[0] = row[2];
        out[1] = row[1];
        out[2] = row[0];
    }
}

static int read_rows(const struct bmp *f, bool mask, struct atoll_image *image,
                     struct atoll_err *err)
{
    const uint64_t stride = ((uint64_t)f->width * f->bits + 31) / 32 * 4;
    if (f->pixels_at > f->n || stride * f->height > f->n - f->pixels_at) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: cut short: %u rows of %llu bytes from byte %u in a file of %zu",
                          f->name, f->height, (unsigned long long)stride, f->pixels_at, f->n);
    }
    int rc = 0;
    for (uint32_t y = 0; y < f->height && rc == 0; y++) {
        const uint8_t *row = f->b + f->pixels_at + (size_t)stride * y;
        const uint32_t to = f->top_down ? y : f->height - 1 - y;
        uint8_t *out = image->pixels + (size_t)to * f->width * image->channels;
        if (f->bits <= 8) {
            rc = row_by_palette(f, row, mask, out, err);
        } else {
            row_of_colours(f, row, out);
        }
    }
    return rc;
}

int atoll__data_bmp(const char *name, const uint8_t *bytes, size_t n, bool mask,
                    struct atoll_image *image, struct atoll_err *err)
{
    struct bmp f = {.name = name, .b = bytes, .n = n};
    int rc = read_sizes(&f, err);
    rc = rc ? rc : check_kind(&f, err);
    rc = rc ? rc : read_palette(&f, err);
    if (rc == 0 && mask && f.bits > 8) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "%s: a mask with %u bits a pixel (class numbers in 1, 4 or 8 expected)",
                          name, f.bits);
    }
    if (rc == 0) {
        rc = atoll_image_resize(image, f.width, f.height, mask ? 1 : 3, err);
        rc = rc ? atoll_fail_at(err, "%s", name) : read_rows(&f, mask, image, err);
    }
    if (rc == 0 && !mask && f.bits <= 8 && palette_is_grey(&f)) {
        atoll__data_drop_channels(image);
    }
    return rc;
}
