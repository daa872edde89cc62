/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of sets, images and pre-processing fails once: ATOLL_ENOMEM and no leak, also
 * where bad images may be left out (no memory is no bad image). */
#include "../alloc_fail.h"
#include "data_fixture.h"

static char dir[256];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    remove_tree(dir);
    return 0;
}

/* Opens a set, reads the first test image as a model of 8 x 8 wants it. */
static int use_set(void *user)
{
    struct atoll_data_opts o = atoll_data_opts_default();
    struct atoll_dataset *d = NULL;
    struct atoll_image image = {0}, scaled = {0};
    struct atoll_dataset_info info;
    struct atoll_err err = {0};
    uint32_t label = 0;
    o.base_dir = dir;
    o.threads = 1;
    o.skip_bad = true;
    o.n_generated[0] = o.n_generated[1] = o.n_generated[2] = 2;
    int rc = atoll_dataset_open(user, &o, &d, &err);
    rc = rc ? rc : atoll_dataset_read(d, ATOLL_PART_TEST, 0, &image, &label, &err);
    if (rc == 0) {
        atoll_dataset_info(d, &info);
        rc = atoll_preprocess_pixels(&info.preprocess, &image, 8, 8, 3, &scaled, &err);
    }
    assert_int_equal(err.code, rc);
    atoll_image_finish(&image);
    atoll_image_finish(&scaled);
    atoll_dataset_close(&d);
    return rc;
}

static void check(const char *set)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s", set);
    alloc_fail_check(use_set, name);
}

static void write_idx(const char *stem)
{
    struct atoll_buf b = {0}, packed = {0};
    char name[64];
    const uint8_t pixels[3 * 4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    put_be32(&b, 0x803), put_be32(&b, 3), put_be32(&b, 2), put_be32(&b, 2);
    atoll_buf_append(&b, pixels, sizeof pixels);
    make_gzip(&packed, b.data, b.size);
    (void)snprintf(name, sizeof name, "%s-images-idx3-ubyte.gz", stem);
    write_at(dir, name, packed.data, packed.size);
    b.size = 0;
    put_be32(&b, 0x801), put_be32(&b, 3);
    atoll_buf_append(&b, "\0\1\2", 3);
    (void)snprintf(name, sizeof name, "%s-labels-idx1-ubyte", stem);
    write_at(dir, name, b.data, b.size);
    atoll_buf_finish(&b);
    atoll_buf_finish(&packed);
}

static void archives(void **state)
{
    (void)state;
    static uint8_t records[2 * 3073];
    write_idx("train");
    write_idx("t10k");
    check("mnist:.");
    for (int i = 0; i < 6; i++) {
        char name[32] = "test_batch.bin";
        if (i > 0) {
            (void)snprintf(name, sizeof name, "data_batch_%d.bin", i);
        }
        write_at(dir, name, records, sizeof records);
    }
    check("cifar10:.");
    check("generated");
}

static void write_images(void)
{
    struct atoll_buf png = {0}, jpeg = {0}, bmp = {0};
    uint8_t pixels[16 * 16 * 3];
    memset(pixels, 77, sizeof pixels);
    make_png(&png, 16, 16, 3, pixels);
    make_jpeg(&jpeg, 16, 16, 3, pixels);
    bmp_head(&bmp, 16, 16, 24, 0, 54);
    atoll_buf_append(&bmp, pixels, sizeof pixels);
    make_dir(dir, "set");
    make_dir(dir, "set/a");
    make_dir(dir, "set/b");
    write_at(dir, "set/a/1.png", png.data, png.size);
    write_at(dir, "set/a/2.jpg", jpeg.data, jpeg.size);
    write_at(dir, "set/b/1.bmp", bmp.data, bmp.size);
    atoll_buf_finish(&png);
    atoll_buf_finish(&jpeg);
    atoll_buf_finish(&bmp);
}

static int open_image(void *user)
{
    struct atoll_image image = {0};
    struct atoll_err err = {0};
    char path[600];
    (void)snprintf(path, sizeof path, "%.255s/%s", dir, (const char *)user);
    const int rc = atoll_image_open(path, &image, &err);
    atoll_image_finish(&image);
    return rc;
}

static void folders(void **state)
{
    (void)state;
    static const char list[] = "a/1.png 0\nb/1.bmp 1\na/2.jpg 0\n";
    static const char yaml[] = "images: set\nlist: list.txt\nlabels: names.txt\nresize: short\n"
                               "short_side: 9\nfilter: area\nmean: [1, 2, 3]\nstd: 4\n";
    static char names[3][16] = {"set/a/1.png", "set/a/2.jpg", "set/b/1.bmp"};
    write_images();
    write_at(dir, "list.txt", list, sizeof list - 1);
    write_at(dir, "names.txt", "one\ntwo\n", 8);
    write_at(dir, "set.yaml", yaml, sizeof yaml - 1);
    check("folder:set");
    check("set.yaml");
    for (size_t i = 0; i < 3; i++) {
        alloc_fail_check(open_image, names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(archives, setup, teardown),
                                       cmocka_unit_test_setup_teardown(folders, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
