/* SPDX-License-Identifier: Apache-2.0 */
/* Images of every kind, whole and damaged; resizing worked by hand. */
#include "data_fixture.h"

#include <math.h>

static struct atoll_image image;
static struct atoll_err err;

static int parse(const struct atoll_buf *b)
{
    err = (struct atoll_err){0};
    return atoll_image_parse("x", b->data, b->size, &image, &err);
}

static void pixel(uint32_t x, uint32_t y, int r, int g, int b)
{
    const uint8_t *p = image.pixels + ((size_t)y * image.width + x) * image.channels;
    assert_int_equal(p[0], r);
    assert_int_equal(p[1], g);
    assert_int_equal(p[2], b);
}

/* 2 x 2: red green / blue white, as 24 and 32 bits, bottom up and top down. */
static void bitmaps(void **state)
{
    (void)state;
    for (int bits = 24; bits <= 32; bits += 8) {
        for (int top_down = 0; top_down < 2; top_down++) {
            struct atoll_buf b = {0};
            const uint8_t rows[2][2][4] = {{{255, 0, 0, 9}, {255, 255, 255, 9}},
                                           {{0, 0, 255, 9}, {0, 255, 0, 9}}};
            bmp_head(&b, 2, top_down ? -2 : 2, (uint32_t)bits, 0, 54);
            for (int y = 0; y < 2; y++) {
                const int row = top_down ? 1 - y : y;
                atoll_buf_append(&b, rows[row][0], (size_t)bits / 8);
                atoll_buf_append(&b, rows[row][1], (size_t)bits / 8);
                atoll_buf_append(&b, "\0\0", bits == 24 ? 2 : 0);
            }
            assert_int_equal(parse(&b), 0);
            assert_int_equal(image.channels, 3);
            pixel(0, 0, 255, 0, 0);
            pixel(1, 0, 0, 255, 0);
            pixel(0, 1, 0, 0, 255);
            pixel(1, 1, 255, 255, 255);
            for (size_t n = 0; n < b.size - (bits == 24 ? 0 : 0); n++) { /* every cut is refused */
                const struct atoll_buf cut = {.data = b.data, .size = n};
                assert_int_equal(parse(&cut), ATOLL_EINPUT);
                assert_true(err.text[0] != '\0');
            }
            atoll_buf_finish(&b);
        }
    }
}

static void palettes_and_masks(void **state)
{
    struct atoll_buf b = {0};
    (void)state;
    bmp_head(&b, 3, 1, 4, 3, 54 + 12); /* colours: black, (1, 2, 3), white */
    atoll_buf_append(&b, "\0\0\0\0\3\2\1\0\377\377\377\0", 12);
    atoll_buf_append(&b, "\x12\x00\0\0", 4); /* pixels 1, 2, 0 */
    assert_int_equal(parse(&b), 0);
    pixel(0, 0, 1, 2, 3);
    pixel(1, 0, 255, 255, 255);
    pixel(2, 0, 0, 0, 0);
    assert_int_equal(atoll_mask_parse("m", b.data, b.size, &image, &err), 0);
    assert_int_equal(image.channels, 1);
    assert_memory_equal(image.pixels, "\1\2\0", 3);
    b.data[66] = '\x17'; /* colour 7 of 3: a hole in the palette, but a class number all the same */
    assert_int_equal(parse(&b), ATOLL_EINPUT);
    assert_int_equal(atoll_mask_parse("m", b.data, b.size, &image, &err), 0);
    atoll_buf_finish(&b);

    bmp_head(&b, 9, 1, 1, 2, 54 + 8); /* grey palette: one channel */
    atoll_buf_append(&b, "\x10\x10\x10\0\xc0\xc0\xc0\0", 8);
    atoll_buf_append(&b, "\xa0\x80\0\0", 4);
    assert_int_equal(parse(&b), 0);
    assert_int_equal(image.channels, 1);
    assert_int_equal(image.pixels[0], 0xc0);
    assert_int_equal(image.pixels[1], 0x10);
    assert_int_equal(image.pixels[8], 0xc0);
    atoll_buf_finish(&b);
}

static void pngs_and_jpegs(void **state)
{
    struct atoll_buf b = {0};
    const uint8_t rgb[12] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
    (void)state;
    make_png(&b, 2, 2, 3, rgb);
    assert_int_equal(parse(&b), 0);
    pixel(0, 1, 0, 0, 255);
    pixel(1, 1, 255, 255, 255);
    for (size_t n = 0; n < b.size; n++) {
        const struct atoll_buf cut = {.data = b.data, .size = n};
        assert_int_equal(parse(&cut), ATOLL_EINPUT);
    }
    b.data[b.size - 20] ^= 1; /* in the last bytes of pixel data: the checksum tells */
    assert_int_equal(parse(&b), ATOLL_EINPUT);
    assert_int_equal(atoll_mask_parse("m", b.data, b.size, &image, &err), ATOLL_EUNSUPPORTED);
    atoll_buf_finish(&b);
    make_png(&b, 2, 2, 1, (const uint8_t[4]){1, 2, 3, 4});
    assert_int_equal(atoll_mask_parse("m", b.data, b.size, &image, &err), 0);
    assert_memory_equal(image.pixels, "\1\2\3\4", 4);
    atoll_buf_finish(&b);

    uint8_t grey[64 * 48];
    memset(grey, 77, sizeof grey);
    make_jpeg(&b, 64, 48, 1, grey);
    assert_int_equal(parse(&b), 0);
    assert_int_equal(image.channels, 1);
    assert_int_equal(image.width, 64);
    assert_true(abs(image.pixels[100] - 77) <= 1);
    for (size_t n = 0; n + 2 < b.size; n += 7) { /* the end mark alone may be missing */
        const struct atoll_buf cut = {.data = b.data, .size = n};
        assert_int_equal(parse(&cut), ATOLL_EINPUT);
    }
    atoll_buf_finish(&b);
}

static void others_are_refused(void **state)
{
    static const char *const texts[] = {
        "", "B", "BM", "GIF89a....", "\xff\xd8\xff", "\x89PNG\r\n\x1a\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct atoll_buf b = {.data = (char *)(uintptr_t)texts[i], .size = strlen(texts[i])};
        assert_int_equal(parse(&b), ATOLL_EINPUT);
    }
    struct atoll_buf b = {0};
    bmp_head(&b, 60000, 60000, 24, 0, 54);
    assert_int_equal(parse(&b), ATOLL_ELIMIT);
    atoll_buf_finish(&b);
    bmp_head(&b, 2, 2, 16, 0, 54);
    assert_int_equal(parse(&b), ATOLL_EUNSUPPORTED);
    atoll_buf_finish(&b);
    assert_int_equal(atoll_image_open("/nowhere/x.png", &image, &err), ATOLL_ENOTFOUND);
}

/* ------------------------------------------------------------ pre-processing */

static struct atoll_image made(uint32_t w, uint32_t h, const uint8_t *pixels)
{
    struct atoll_image i = {0};
    assert_int_equal(atoll_image_resize(&i, w, h, 1, NULL), 0);
    memcpy(i.pixels, pixels, (size_t)w * h);
    return i;
}

static void resized(enum atoll_resize_filter filter, uint32_t w, const uint8_t *expected)
{
    struct atoll_preprocess p = atoll_preprocess_default();
    struct atoll_image in = made(4, 1, (const uint8_t[4]){0, 100, 200, 40}), out = {0};
    p.filter = filter;
    assert_int_equal(atoll_preprocess_pixels(&p, &in, w, 1, 1, &out, &err), 0);
    assert_memory_equal(out.pixels, expected, w);
    atoll_image_finish(&in);
    atoll_image_finish(&out);
}

static void filters_by_hand(void **state)
{
    (void)state;
    /* source = x * 4 / 8: 0, .5, 1, 1.5, 2, 2.5, 3, 3.5 (clamped) */
    resized(ATOLL_FILTER_BILINEAR, 8, (const uint8_t[]){0, 50, 100, 150, 200, 120, 40, 40});
    /* (x + .5) / 2 - .5: -.25, .25, .75, 1.25, 1.75, 2.25, 2.75, 3.25 */
    resized(ATOLL_FILTER_CENTRE, 8, (const uint8_t[]){0, 25, 75, 125, 175, 160, 80, 40});
    resized(ATOLL_FILTER_NEAREST, 8, (const uint8_t[]){0, 0, 100, 100, 200, 200, 40, 40});
    resized(ATOLL_FILTER_AREA, 2, (const uint8_t[]){50, 120});
    /* thirds of 4 pixels: (0 + 100/3) / (4/3) = 25; (2/3*100 + 2/3*200)/(4/3) = 150; 80 */
    resized(ATOLL_FILTER_AREA, 3, (const uint8_t[]){25, 150, 80});
    resized(ATOLL_FILTER_BILINEAR, 4, (const uint8_t[]){0, 100, 200, 40}); /* nothing to do */
}

static void rules(void **state)
{
    uint8_t pixels[6 * 4];
    struct atoll_preprocess p = atoll_preprocess_default();
    struct atoll_image out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(10 * (i % 6) + i / 6);
    }
    struct atoll_image in = made(6, 4, pixels);
    p.rule = ATOLL_RESIZE_SHORT;
    p.filter = ATOLL_FILTER_NEAREST;
    p.short_side = 4; /* stays 6 x 4; the middle 2 x 2 begins at (2, 1) */
    assert_int_equal(atoll_preprocess_pixels(&p, &in, 2, 2, 1, &out, &err), 0);
    assert_memory_equal(out.pixels, ((const uint8_t[]){21, 31, 22, 32}), 4);
    p.short_side = 3;
    assert_int_equal(atoll_preprocess_pixels(&p, &in, 4, 4, 1, &out, &err), ATOLL_EUSAGE);
    p.rule = ATOLL_RESIZE_CROP;
    p.crop_frac = 0.5; /* 3 x 2 from (1, 1) */
    assert_int_equal(atoll_preprocess_pixels(&p, &in, 3, 2, 1, &out, &err), 0);
    assert_memory_equal(out.pixels, ((const uint8_t[]){11, 21, 31, 12, 22, 32}), 6);
    p.crop_frac = 0;
    assert_int_equal(atoll_preprocess_pixels(&p, &in, 3, 2, 1, &out, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_preprocess_pixels(&p, &in, 3, 2, 2, &out, &err), ATOLL_EUNSUPPORTED);
    atoll_image_finish(&in);
    atoll_image_finish(&out);
}

static void channels(void **state)
{
    struct atoll_preprocess p = atoll_preprocess_default();
    struct atoll_image in = {0}, out = {0};
    float mean = 0, std = 0;
    (void)state;
    assert_int_equal(atoll_image_resize(&in, 1, 1, 3, NULL), 0);
    memcpy(in.pixels, "\12\24\36", 3); /* 10, 20, 30 */
    assert_int_equal(atoll_preprocess_pixels(&p, &in, 1, 1, 1, &out, &err), 0);
    assert_int_equal(out.pixels[0], 18); /* 2.99 + 11.74 + 3.42 */
    p.bgr = true;
    assert_int_equal(atoll_preprocess_pixels(&p, &in, 1, 1, 3, &out, &err), 0);
    assert_memory_equal(out.pixels, "\36\24\12", 3);
    p.mean[0] = 1, p.mean[1] = 2, p.mean[2] = 6;
    p.std[0] = 4, p.std[1] = 5, p.std[2] = 6;
    atoll_preprocess_norm(&p, 0, 3, &mean, &std);
    assert_true(mean == 6 && std == 6); /* blue comes first */
    atoll_preprocess_norm(&p, 0, 1, &mean, &std);
    assert_true(mean == 3 && std == 5);
    struct atoll_image grey = made(2, 1, (const uint8_t[]){5, 9});
    assert_int_equal(atoll_preprocess_pixels(&p, &grey, 2, 1, 3, &out, &err), 0);
    assert_memory_equal(out.pixels, "\5\5\5\11\11\11", 6);
    atoll_image_finish(&grey);
    atoll_image_finish(&in);
    atoll_image_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitmaps),         cmocka_unit_test(palettes_and_masks),
        cmocka_unit_test(pngs_and_jpegs),  cmocka_unit_test(others_are_refused),
        cmocka_unit_test(filters_by_hand), cmocka_unit_test(rules),
        cmocka_unit_test(channels)};
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    atoll_image_finish(&image);
    return rc;
}
