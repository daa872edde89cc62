/* SPDX-License-Identifier: Apache-2.0 */
/* Files for tests of room data: bitmaps by hand, png and jpeg by the libraries' own writers. */
#ifndef ATOLL_DATA_FIXTURE_H
#define ATOLL_DATA_FIXTURE_H

#include "atoll_test.h"

#include <atoll/data.h>

#include <jpeglib.h>
#include <png.h>
#include <sys/stat.h>
#include <zlib.h>

static inline void put_u32(struct atoll_buf *b, uint32_t v)
{
    const uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
                              (uint8_t)(v >> 24)};
    atoll_buf_append(b, bytes, 4);
}

static inline void put_be32(struct atoll_buf *b, uint32_t v)
{
    const uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                              (uint8_t)v};
    atoll_buf_append(b, bytes, 4);
}

/* File and info header of a bitmap; the palette and the rows follow. */
static inline void bmp_head(struct atoll_buf *b, int32_t width, int32_t height, uint32_t bits,
                            uint32_t colours, uint32_t pixels_at)
{
    atoll_buf_append(b, "BM", 2);
    put_u32(b, 0);
    put_u32(b, 0);
    put_u32(b, pixels_at);
    put_u32(b, 40);
    put_u32(b, (uint32_t)width);
    put_u32(b, (uint32_t)height);
    put_u32(b, 1 | bits << 16);
    put_u32(b, 0);
    for (int i = 0; i < 3; i++) {
        put_u32(b, 0);
    }
    put_u32(b, colours);
    put_u32(b, 0);
}

static inline void make_png(struct atoll_buf *b, uint32_t width, uint32_t height, uint32_t channels,
                            const uint8_t *pixels)
{
    png_image i = {.version = PNG_IMAGE_VERSION, .width = width, .height = height};
    png_alloc_size_t n = 1 << 20;
    i.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    assert_true(png_image_write_to_memory(&i, bytes, &n, 0, pixels, 0, NULL));
    atoll_buf_append(b, bytes, n);
    free(bytes);
}

static inline void make_jpeg(struct atoll_buf *b, uint32_t width, uint32_t height,
                             uint32_t channels, const uint8_t *pixels)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr e;
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    j.err = jpeg_std_error(&e);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &bytes, &n);
    j.image_width = width;
    j.image_height = height;
    j.input_components = (int)channels;
    j.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&j);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)j.next_scanline * width * channels);
        (void)jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    atoll_buf_append(b, bytes, n);
    free(bytes);
}

static inline void make_gzip(struct atoll_buf *out, const void *bytes, size_t n)
{
    z_stream z = {0};
    uint8_t packed[65536];
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)n;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    atoll_buf_append(out, packed, sizeof packed - z.avail_out);
    (void)deflateEnd(&z);
}

static inline void write_at(const char *dir, const char *name, const void *bytes, size_t n)
{
    char path[600];
    struct atoll_err err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    if (atoll_write_file(path, bytes, n, &err) != 0) {
        fail_msg("%s", err.text);
    }
}

static inline void make_dir(const char *dir, const char *name)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* Removes a scratch directory with all that tests put there. */
static inline void remove_tree(const char *dir)
{
    char line[400];
    (void)snprintf(line, sizeof line, "rm -rf '%s'", dir);
    assert_int_equal(system(line), 0);
}

#endif
