/* SPDX-License-Identifier: Apache-2.0 */
/* Jpeg files through libjpeg-turbo. The library reports errors by a function that may not return,
 * hence the jump. Damage is an error here, not a warning: a picture with a grey lower half is no
 * sample. Pictures in CMYK (some of ImageNet) are converted. */
#include "data_internal.h"

#include <setjmp.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

struct trap {
    struct jpeg_error_mgr base; /* first: the library hands us its address */
    jmp_buf jump;
    char text[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr info)
{
    struct trap *t = (struct trap *)info->err;
    t->base.format_message(info, t->text);
    longjmp(t->jump, 1);
}

/* Level -1 is a warning: damaged data. Two kinds do not touch the pixels. */
static void on_message(j_common_ptr info, int level)
{
    if (level < 0 && info->err->msg_code != JWRN_EXTRANEOUS_DATA &&
        info->err->msg_code != JWRN_ADOBE_XFORM) {
        on_error(info);
    }
}

/* Adobe writes inverted inks: 255 is none. */
static void from_cmyk(const uint8_t *in, uint8_t *out, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++, in += 4, out += 3) {
        for (size_t c = 0; c < 3; c++) {
            out[c] = (uint8_t)((in[c] * in[3] + 127) / 255);
        }
    }
}

static int read_rows(struct jpeg_decompress_struct *j, struct atoll_image *image,
                     uint8_t **cmyk_row, struct atoll_err *err)
{
    const bool inks = j->output_components == 4;
    const uint32_t channels = j->output_components == 1 ? 1 : 3;
    int rc = atoll_image_resize(image, j->output_width, j->output_height, channels, err);
    if (rc == 0 && inks) {
        *cmyk_row = atoll_alloc((size_t)j->output_width * 4);
        rc = *cmyk_row != NULL ? 0 : atoll_fail_nomem(err, "a row", j->output_width);
    }
    while (rc == 0 && j->output_scanline < j->output_height) {
        uint8_t *to = image->pixels + (size_t)j->output_scanline * image->width * channels;
        JSAMPROW row = inks ? *cmyk_row : to;
        (void)jpeg_read_scanlines(j, &row, 1);
        if (inks) {
            from_cmyk(*cmyk_row, to, image->width);
        }
    }
    return rc;
}

static int decode(struct jpeg_decompress_struct *j, struct trap *t, const uint8_t *bytes, size_t n,
                  struct atoll_image *image, uint8_t **cmyk_row, struct atoll_err *err)
{
    if (setjmp(t->jump) != 0) {
        return atoll_fail(err, ATOLL_EINPUT, "%s", t->text);
    }
    jpeg_create_decompress(j);
    jpeg_mem_src(j, bytes, (unsigned long)n);
    (void)jpeg_read_header(j, TRUE);
    j->mem->max_memory_to_use = 1L << 30;
    if ((uint64_t)j->image_width * j->image_height > ATOLL_IMAGE_PIXELS_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%u x %u pixels (at most %u expected)", j->image_width,
                          j->image_height, ATOLL_IMAGE_PIXELS_MAX);
    }
    if (j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK) {
        j->out_color_space = JCS_CMYK;
    } else if (j->jpeg_color_space != JCS_GRAYSCALE) {
        j->out_color_space = JCS_RGB;
    }
    (void)jpeg_start_decompress(j);
    const int rc = read_rows(j, image, cmyk_row, err);
    if (rc == 0) {
        (void)jpeg_finish_decompress(j);
    }
    return rc;
}

int atoll__data_jpeg(const char *name, const uint8_t *bytes, size_t n, struct atoll_image *image,
                     struct atoll_err *err)
{
    struct jpeg_decompress_struct j = {0};
    struct trap t = {.text = ""};
    uint8_t *cmyk_row = NULL;
    j.err = jpeg_std_error(&t.base);
    t.base.error_exit = on_error;
    t.base.emit_message = on_message;
    const int rc = decode(&j, &t, bytes, n, image, &cmyk_row, err);
    jpeg_destroy_decompress(&j);
    atoll_free(cmyk_row);
    return rc == 0 ? 0 : atoll_fail_at(err, "%s", name);
}
