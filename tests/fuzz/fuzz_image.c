/* SPDX-License-Identifier: Apache-2.0 */
/* Bitmaps, jpeg and png, as images and as masks: what is accepted can be read whole and resized. */
#include "fuzz.h"

#include <atoll/data.h>

#include <string.h>

static void use(const struct atoll_image *image)
{
    struct atoll_image small = {0};
    struct atoll_preprocess p = atoll_preprocess_default();
    FUZZ_CHECK(image->channels == 1 || image->channels == 3);
    FUZZ_CHECK((size_t)image->width * image->height * image->channels <= image->capacity);
    p.filter = (enum atoll_resize_filter)(image->width % 4);
    FUZZ_CHECK(atoll_preprocess_pixels(&p, image, 5, 7, 3, &small, NULL) == 0);
    FUZZ_CHECK(small.width == 5 && small.height == 7 && small.channels == 3);
    atoll_image_finish(&small);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct atoll_image image = {0};
    for (int mask = 0; mask < 2; mask++) {
        struct atoll_err err = {0};
        const int rc = mask ? atoll_mask_parse("fuzz.img", data, size, &image, &err)
                            : atoll_image_parse("fuzz.img", data, size, &image, &err);
        if (rc == 0) {
            use(&image);
            FUZZ_CHECK(!mask || image.channels == 1);
        } else {
            FUZZ_CHECK(err.code == rc && strncmp(err.text, "fuzz.img", 8) == 0);
        }
    }
    atoll_image_finish(&image);
    return 0;
}
