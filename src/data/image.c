/* SPDX-License-Identifier: Apache-2.0 */
/* Images: buffers, and which decoder a file's first bytes ask for. */
#include "data_internal.h"

#include <string.h>

void atoll_image_finish(struct atoll_image *image)
{
    if (image != NULL) {
        atoll_free(image->pixels);
        *image = (struct atoll_image){0};
    }
}

int atoll_image_resize(struct atoll_image *image, uint32_t width, uint32_t height,
                       uint32_t channels, struct atoll_err *err)
{
    const uint64_t pixels = (uint64_t)width * height;
    if (width == 0 || height == 0 || width > ATOLL_IMAGE_SIDE_MAX ||
        height > ATOLL_IMAGE_SIDE_MAX || pixels > ATOLL_IMAGE_PIXELS_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT,
                          "an image of %u x %u pixels (1 to %u a side, at most %u in all expected)",
                          width, height, ATOLL_IMAGE_SIDE_MAX, ATOLL_IMAGE_PIXELS_MAX);
    }
    const size_t bytes = (size_t)pixels * channels;
    if (bytes > image->capacity) {
        uint8_t *grown = atoll_realloc(image->pixels, bytes);
        if (grown == NULL) {
            return atoll_fail_nomem(err, "an image", bytes);
        }
        image->pixels = grown;
        image->capacity = bytes;
    }
    image->width = width;
    image->height = height;
    image->channels = channels;
    return 0;
}

void atoll__data_drop_channels(struct atoll_image *image)
{
    const size_t n = (size_t)image->width * image->height;
    for (size_t i = 0; i < n; i++) {
        image->pixels[i] = image->pixels[3 * i];
    }
    image->channels = 1;
}

static const uint8_t png_magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

static int parse(const char *name, const uint8_t *b, size_t n, bool mask, struct atoll_image *image,
                 struct atoll_err *err)
{
    if (n >= 2 && b[0] == 'B' && b[1] == 'M') {
        return atoll__data_bmp(name, b, n, mask, image, err);
    }
    if (n >= sizeof png_magic && memcmp(b, png_magic, sizeof png_magic) == 0) {
        return atoll__data_png(name, b, n, mask, image, err);
    }
    if (n >= 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff && !mask) {
        return atoll__data_jpeg(name, b, n, image, err);
    }
    return atoll_fail(err, ATOLL_EINPUT, "%s: byte 0: this is no %s file", name,
                      mask ? "bmp or png (the kinds of mask that are read)" : "bmp, jpeg or png");
}

int atoll_image_parse(const char *name, const void *bytes, size_t n, struct atoll_image *image,
                      struct atoll_err *err)
{
    return parse(name, bytes, n, false, image, err);
}

int atoll_mask_parse(const char *name, const void *bytes, size_t n, struct atoll_image *mask,
                     struct atoll_err *err)
{
    return parse(name, bytes, n, true, mask, err);
}

static int open_file(const char *path, bool mask, struct atoll_image *image, struct atoll_err *err)
{
    struct atoll_map map = {0};
    int rc = atoll_map_open(path, &map, err);
    if (rc == 0) {
        rc = parse(path, map.data, map.size, mask, image, err);
        atoll_map_close(&map);
    }
    return rc;
}

int atoll_image_open(const char *path, struct atoll_image *image, struct atoll_err *err)
{
    return open_file(path, false, image, err);
}

int atoll_mask_open(const char *path, struct atoll_image *mask, struct atoll_err *err)
{
    return open_file(path, true, mask, err);
}
