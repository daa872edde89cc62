/* SPDX-License-Identifier: Apache-2.0 */
/* Png files through libpng. Damage is an error; 16 bits become 8, alpha is dropped. As a mask the
 * palette's numbers count, or the grey values. */
#include "data_internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

struct source {
    const uint8_t *bytes;
    size_t n, at;
    char text[160];
};

static void on_read(png_structp png, png_bytep out, size_t n)
{
    struct source *s = png_get_io_ptr(png);
    if (n > s->n - s->at) {
        png_error(png, "the file is cut short");
    }
    memcpy(out, s->bytes + s->at, n);
    s->at += n;
}

static void on_error(png_structp png, png_const_charp text)
{
    struct source *s = png_get_error_ptr(png);
    (void)snprintf(s->text, sizeof s->text, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text; /* odd colour profiles and the like: the pixels are whole */
}

static void ask_for_bytes(png_structp png, png_infop info, bool mask)
{
    const int type = png_get_color_type(png, info);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    if (mask) {
        png_set_packing(png);
    } else if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(png);
    } else if (type == PNG_COLOR_TYPE_GRAY) {
        png_set_expand_gray_1_2_4_to_8(png);
    }
}

static int read_image(png_structp png, png_infop info, bool mask, struct atoll_image *image,
                      struct atoll_err *err)
{
    png_read_info(png, info);
    const int type = png_get_color_type(png, info);
    if (mask && type != PNG_COLOR_TYPE_PALETTE && type != PNG_COLOR_TYPE_GRAY) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "a mask in colours (class numbers as palette or grey expected)");
    }
    ask_for_bytes(png, info, mask);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    const uint32_t channels = png_get_channels(png, info);
    const int rc = atoll_image_resize(image, png_get_image_width(png, info),
                                      png_get_image_height(png, info), channels, err);
    if (rc != 0) {
        return rc;
    }
    const size_t stride = (size_t)image->width * channels;
    if (png_get_rowbytes(png, info) != stride || (channels != 1 && channels != 3)) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED, "%u channels, %zu bytes a row", channels,
                          (size_t)png_get_rowbytes(png, info));
    }
    memset(image->pixels, 0, stride * image->height); /* interlaced passes fill it piece by piece */
    for (int pass = 0; pass < passes; pass++) {
        for (uint32_t y = 0; y < image->height; y++) {
            png_read_row(png, image->pixels + stride * y, NULL);
        }
    }
    png_read_end(png, NULL);
    return 0;
}

static int decode(png_structp png, png_infop info, const struct source *s, bool mask,
                  struct atoll_image *image, struct atoll_err *err)
{
    if (setjmp(png_jmpbuf(png)) != 0) {
        return atoll_fail(err, ATOLL_EINPUT, "%s", s->text);
    }
    png_set_user_limits(png, ATOLL_IMAGE_SIDE_MAX, ATOLL_IMAGE_SIDE_MAX);
    png_set_chunk_malloc_max(png, 16u << 20);
    return read_image(png, info, mask, image, err);
}

int atoll__data_png(const char *name, const uint8_t *bytes, size_t n, bool mask,
                    struct atoll_image *image, struct atoll_err *err)
{
    struct source s = {.bytes = bytes, .n = n};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    int rc = 0;
    if (info == NULL) {
        rc = atoll_fail_nomem(err, "a png reader", 0);
    } else {
        png_set_read_fn(png, &s, on_read);
        rc = decode(png, info, &s, mask, image, err);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return rc == 0 ? 0 : atoll_fail_at(err, "%s", name);
}
