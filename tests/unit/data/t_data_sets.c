/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of every kind made on the spot: parts do not overlap, bad ones are refused or named. */
#include "data_fixture.h"

#include "data_internal.h"

static struct atoll_err err;
static char dir[256];

static struct atoll_dataset *open_set(const char *set, bool skip_bad)
{
    struct atoll_data_opts o = atoll_data_opts_default();
    struct atoll_dataset *d = NULL;
    o.skip_bad = skip_bad;
    o.base_dir = dir;
    o.n_generated[0] = 480, o.n_generated[1] = 48, o.n_generated[2] = 96;
    err = (struct atoll_err){0};
    (void)atoll_dataset_open(set, &o, &d, &err);
    return d;
}

static struct atoll_dataset *must_open(const char *set)
{
    struct atoll_dataset *d = open_set(set, false);
    if (d == NULL) {
        fail_msg("%s", err.text);
    }
    return d;
}

static void must_fail(const char *set, int code, const char *words)
{
    struct atoll_dataset *d = open_set(set, false);
    assert_null(d);
    assert_int_equal(err.code, code);
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    }
}

/* ----------------------------------------------------------------------- IDX */

enum { N = 200, SIDE = 4 };

static void write_idx(const char *stem, uint32_t n, bool gzip, size_t cut, int label_at)
{
    struct atoll_buf images = {0}, labels = {0}, packed = {0};
    char name[64];
    put_be32(&images, 0x803);
    put_be32(&images, n);
    put_be32(&images, SIDE);
    put_be32(&images, SIDE);
    put_be32(&labels, 0x801);
    put_be32(&labels, n);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t pixels[SIDE * SIDE];
        const uint8_t label = (uint8_t)((int)i == label_at ? 10 : i % 10);
        memset(pixels, (int)i, sizeof pixels);
        atoll_buf_append(&images, pixels, sizeof pixels);
        atoll_buf_append(&labels, &label, 1);
    }
    if (gzip) {
        make_gzip(&packed, images.data, images.size);
    }
    const struct atoll_buf *b = gzip ? &packed : &images;
    (void)snprintf(name, sizeof name, "%s-images-idx3-ubyte%s", stem, gzip ? ".gz" : "");
    write_at(dir, name, b->data, b->size - cut);
    (void)snprintf(name, sizeof name, "%s-labels-idx1-ubyte", stem);
    write_at(dir, name, labels.data, labels.size);
    atoll_buf_finish(&images);
    atoll_buf_finish(&labels);
    atoll_buf_finish(&packed);
}

static void idx_parts(void **state)
{
    struct atoll_dataset_info info;
    uint8_t seen[N] = {0};
    (void)state;
    write_idx("train", N, true, 0, -1);
    write_idx("t10k", 50, false, 0, -1);
    struct atoll_dataset *d = must_open("mnist:.");
    atoll_dataset_info(d, &info);
    assert_int_equal(info.n[0], 190);
    assert_int_equal(info.n[1], 10);
    assert_int_equal(info.n[2], 50);
    assert_int_equal(info.n_classes, 10);
    assert_int_equal(info.width, SIDE);
    for (int part = 0; part < 2; part++) { /* each training image in one of the two, once */
        for (size_t i = 0; i < info.n[part]; i++) {
            uint32_t label = 99;
            const uint8_t *p = atoll_dataset_pixels(d, (enum atoll_part)part, i, &label);
            assert_int_equal(label, p[0] % 10);
            assert_int_equal(seen[p[0]]++, 0);
        }
    }
    struct atoll_image image = {0};
    uint32_t label = 0;
    assert_int_equal(atoll_dataset_read(d, ATOLL_PART_TEST, 7, &image, &label, &err), 0);
    assert_int_equal(image.pixels[0], 7);
    assert_int_equal(label, 7);
    assert_int_equal(atoll_dataset_read(d, ATOLL_PART_TEST, 50, &image, &label, &err),
                     ATOLL_EUSAGE);
    atoll_image_finish(&image);
    atoll_dataset_close(&d);
}

static void idx_damage(void **state)
{
    struct atoll_dataset_info info;
    (void)state;
    write_idx("train", N, true, 0, -1);
    for (int gzip = 0; gzip < 2; gzip++) {
        write_idx("t10k", 50, gzip, gzip ? 9 : 16 + 3, -1);
        if (gzip) {
            char path[400];
            (void)snprintf(path, sizeof path, "%s/t10k-images-idx3-ubyte", dir);
            (void)unlink(path);
        }
        must_fail("mnist:.", ATOLL_EINPUT, "cut short");
        struct atoll_dataset *d = open_set("mnist:.", true);
        assert_non_null(d);
        atoll_dataset_info(d, &info);
        assert_int_equal(info.n_bad, 1);
        assert_non_null(strstr(info.bad_first, "t10k-images"));
        assert_true(gzip ? info.n[2] >= 1 && info.n[2] <= 50 : info.n[2] == 48);
        atoll_dataset_close(&d);
    }
    write_idx("t10k", 50, true, 0, 20);
    must_fail("mnist:.", ATOLL_EINPUT, "image 20: label 10");
    struct atoll_dataset *d = open_set("mnist:.", true);
    atoll_dataset_info(d, &info);
    assert_int_equal(info.n[2], 49);
    uint32_t label = 0;
    assert_int_equal(atoll_dataset_pixels(d, ATOLL_PART_TEST, 20, &label)[0], 21);
    atoll_dataset_close(&d);
}

static void idx_bytes(void **state)
{
    struct atoll_idx f = {0};
    struct atoll_buf b = {0};
    (void)state;
    assert_int_equal(atoll_idx_parse("x", "", 0, false, &f, &err), ATOLL_EINPUT);
    put_be32(&b, 0x803);
    put_be32(&b, 0xffffffff);
    put_be32(&b, 4096);
    put_be32(&b, 4096);
    assert_int_equal(atoll_idx_parse("x", b.data, b.size, false, &f, &err), ATOLL_ELIMIT);
    assert_int_equal(atoll_idx_parse("x", b.data, b.size - 1, false, &f, &err), ATOLL_EINPUT);
    atoll_buf_finish(&b);
    put_be32(&b, 0x801);
    put_be32(&b, 2);
    atoll_buf_append(&b, "\1\2\3", 3);
    assert_int_equal(atoll_idx_parse("x", b.data, b.size, false, &f, &err), ATOLL_EINPUT);
    assert_int_equal(atoll_idx_parse("x", b.data, b.size - 1, false, &f, &err), 0);
    assert_memory_equal(f.bytes, "\1\2", 2);
    atoll_free(f.bytes);
    atoll_buf_finish(&b);
}

/* --------------------------------------------------------------------- CIFAR */

static void cifar(void **state)
{
    struct atoll_dataset_info info;
    struct atoll_buf b = {0};
    char name[32];
    (void)state;
    for (int i = 0; i < 20; i++) {
        uint8_t record[3073];
        record[0] = (uint8_t)(i % 10);
        memset(record + 1, 1 + i, 1024);
        memset(record + 1025, 2 + i, 1024);
        memset(record + 2049, 3 + i, 1024);
        atoll_buf_append(&b, record, sizeof record);
    }
    for (int i = 1; i <= 5; i++) {
        (void)snprintf(name, sizeof name, "data_batch_%d.bin", i);
        write_at(dir, name, b.data, b.size);
    }
    must_fail("cifar10:.", ATOLL_ENOTFOUND, "test_batch.bin");
    write_at(dir, "test_batch.bin", b.data, b.size);
    write_at(dir, "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n", 21);
    struct atoll_dataset *d = must_open("cifar10:.");
    atoll_dataset_info(d, &info);
    assert_int_equal(info.n[0] + info.n[1], 100);
    assert_int_equal(info.n[2], 20);
    assert_string_equal(info.labels[3], "d");
    uint32_t label = 0;
    const uint8_t *p = atoll_dataset_pixels(d, ATOLL_PART_TEST, 13, &label);
    assert_int_equal(label, 3);
    assert_memory_equal(p, "\16\17\20", 3); /* planes become pixels */
    atoll_dataset_close(&d);

    write_at(dir, "test_batch.bin", b.data, b.size - 5);
    must_fail("cifar10:.", ATOLL_EINPUT, "multiple of 3073");
    b.data[3073] = 77;
    write_at(dir, "test_batch.bin", b.data, b.size);
    must_fail("cifar10:.", ATOLL_EINPUT, "image 1: label 77");
    d = open_set("cifar10:.", true);
    atoll_dataset_info(d, &info);
    assert_int_equal(info.n[2], 19);
    assert_int_equal(info.n_bad, 1);
    atoll_dataset_close(&d);
    must_fail("cifar100:.", ATOLL_ENOTFOUND, "train.bin");
    atoll_buf_finish(&b);
}

/* ------------------------------------------------------------------- folders */

static void write_png(const char *name, uint8_t value)
{
    struct atoll_buf b = {0};
    const uint8_t pixels[12] = {value, value, value, value, value, value,
                                value, value, value, value, value, 0};
    make_png(&b, 2, 2, 3, pixels);
    write_at(dir, name, b.data, b.size);
    atoll_buf_finish(&b);
}

static void folders(void **state)
{
    struct atoll_dataset_info info;
    struct atoll_image image = {0};
    char name[512];
    uint32_t label = 9;
    (void)state;
    make_dir(dir, "set");
    must_fail("folder:set", ATOLL_EINPUT, "no directories of classes");
    make_dir(dir, "set/cat");
    make_dir(dir, "set/ant");
    must_fail("folder:set", ATOLL_EINPUT, "no images");
    write_png("set/cat/2.png", 2);
    write_png("set/cat/1.PNG", 1);
    write_png("set/ant/x.png", 3);
    write_at(dir, "set/ant/notes.txt", "no image", 8);
    struct atoll_dataset *d = must_open("folder:set");
    atoll_dataset_info(d, &info);
    assert_int_equal(info.n_classes, 2);
    assert_string_equal(info.labels[0], "ant");
    assert_int_equal(info.n[2], 3);
    assert_int_equal(info.n[0], 0);
    assert_int_equal(atoll_dataset_read(d, ATOLL_PART_TEST, 1, &image, &label, &err), 0);
    assert_int_equal(label, 1);
    assert_int_equal(image.pixels[0], 1);
    assert_null(atoll_dataset_pixels(d, ATOLL_PART_TEST, 1, &label));
    assert_non_null(strstr(atoll_dataset_image_name(d, ATOLL_PART_TEST, 2, name), "cat/2.png"));
    atoll_dataset_close(&d);
    write_at(dir, "set/ant/x.png", "broken", 6);
    d = must_open("folder:set"); /* images are decoded when they are read */
    assert_int_equal(atoll_dataset_read(d, ATOLL_PART_TEST, 0, &image, &label, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "x.png"));
    atoll_dataset_close(&d);
    atoll_image_finish(&image);

    make_dir(dir, "parts");
    make_dir(dir, "parts/train");
    make_dir(dir, "parts/val");
    make_dir(dir, "parts/train/a");
    make_dir(dir, "parts/train/b");
    make_dir(dir, "parts/val/b");
    write_png("parts/train/a/1.png", 1);
    write_png("parts/train/b/1.png", 1);
    write_png("parts/val/b/7.png", 7);
    d = must_open("folder:parts"); /* val without test is for testing */
    atoll_dataset_info(d, &info);
    assert_int_equal(info.n[0] + info.n[1], 2);
    assert_int_equal(info.n[2], 1);
    assert_int_equal(atoll_dataset_read(d, ATOLL_PART_TEST, 0, &image, &label, &err), 0);
    assert_int_equal(label, 1); /* b, although val/ has no a */
    atoll_dataset_close(&d);
    atoll_image_finish(&image);
}

/* ---------------------------------------------------------------------- yaml */

static void yaml(const char *text)
{
    write_at(dir, "set.yaml", text, strlen(text));
}

static void yaml_sets(void **state)
{
    struct atoll_dataset_info info;
    (void)state;
    make_dir(dir, "images");
    make_dir(dir, "masks");
    write_png("images/a.png", 1);
    write_png("images/b.png", 2);
    write_png("images/c.png", 3);
    write_at(dir, "list.txt", "a.png 0\nb.png\t2\r\nc.png 1\n", 26);
    write_at(dir, "names.txt", "0 zero\n2 two\n1 one\n", 19);
    yaml("images: images\nlist: list.txt\nlabels: names.txt\nresize: short\nshort_side: 256\n"
         "filter: area\norder: bgr\nmean: [1, 2, 3]\nstd: 4\nlabel_offset: 1\n");
    struct atoll_dataset *d = must_open("set.yaml");
    atoll_dataset_info(d, &info);
    assert_int_equal(info.n[2], 3);
    assert_int_equal(info.n_classes, 3);
    assert_string_equal(info.labels[2], "two");
    assert_int_equal(info.label_offset, 1);
    assert_int_equal(info.preprocess.rule, ATOLL_RESIZE_SHORT);
    assert_int_equal(info.preprocess.filter, ATOLL_FILTER_AREA);
    assert_true(info.preprocess.bgr && info.preprocess.normalize);
    assert_true(info.preprocess.mean[2] == 3 && info.preprocess.std[1] == 4);
    atoll_dataset_close(&d);

    yaml("images: images\nlist: list.txt\ntest_frac: 0.4\n");
    d = must_open("set.yaml");
    atoll_dataset_info(d, &info);
    assert_int_equal(info.n[0] + info.n[1] + info.n[2], 3);
    assert_false(info.preprocess.normalize);
    atoll_dataset_close(&d);

    yaml("images: images\nmasks: masks\nlabels: names.txt\n");
    must_fail("set.yaml", ATOLL_EINPUT, "no mask");
    struct atoll_buf b = {0};
    make_png(&b, 2, 2, 1, (const uint8_t[]){0, 1, 2, 255});
    write_at(dir, "masks/a.png", b.data, b.size);
    d = open_set("set.yaml", true);
    assert_non_null(d);
    atoll_dataset_info(d, &info);
    assert_int_equal(info.task, ATOLL_TASK_SEGMENT);
    assert_int_equal(info.n[2], 1);
    assert_int_equal(info.n_bad, 2);
    struct atoll_image mask = {0};
    assert_int_equal(atoll_dataset_mask(d, ATOLL_PART_TEST, 0, &mask, &err), 0);
    assert_memory_equal(mask.pixels, "\0\1\2\377", 4);
    atoll_image_finish(&mask);
    atoll_dataset_close(&d);
    atoll_buf_finish(&b);
}

/* A set inside another yaml file: a name, or the keys of a set's own file. */
static void yaml_nodes(void **state)
{
    (void)state;
    static const char text[] =
        "a: generated\nb: {set: generated, filter: area, mean: 10, std: 20}\nc: [generated]\n";
    struct atoll_yaml_doc *doc = NULL;
    struct atoll_dataset *d = NULL;
    struct atoll_dataset_info info;
    struct atoll_data_opts o = atoll_data_opts_default();
    o.parts = 1u << ATOLL_PART_TEST;
    o.n_generated[ATOLL_PART_TEST] = 4;
    assert_int_equal(atoll_yaml_parse("e.yaml", text, sizeof text - 1, &doc, &err), 0);
    const struct atoll_yaml *root = atoll_yaml_root(doc);
    assert_int_equal(atoll_dataset_open_node(atoll_yaml_get(root, "a"), &o, &d, &err), 0);
    atoll_dataset_info(d, &info);
    assert_string_equal(info.name, "generated");
    atoll_dataset_close(&d);
    assert_int_equal(atoll_dataset_open_node(atoll_yaml_get(root, "b"), &o, &d, &err), 0);
    atoll_dataset_info(d, &info);
    assert_string_equal(info.name, "{set: generated, filter: area, mean: 10, std: 20}");
    assert_true(info.preprocess.normalize && info.preprocess.mean[1] == 10);
    assert_int_equal(info.preprocess.filter, ATOLL_FILTER_AREA);
    assert_int_equal(info.n[ATOLL_PART_TEST], 4);
    atoll_dataset_close(&d);
    assert_int_equal(atoll_dataset_open_node(atoll_yaml_get(root, "c"), &o, &d, &err),
                     ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "e.yaml:3"));
    atoll_yaml_close(&doc);
}

static void yaml_mistakes(void **state)
{
    (void)state;
    make_dir(dir, "images");
    write_at(dir, "list.txt", "a.png zero\n", 11);
    yaml("set: generated\nimages: images\n");
    must_fail("set.yaml", ATOLL_EINPUT, "either set");
    yaml("set: generated\nresise: short\n");
    must_fail("set.yaml", ATOLL_EINPUT, "resise");
    yaml("set: generated\nresize: short\n");
    must_fail("set.yaml", ATOLL_EINPUT, "short_side");
    yaml("set: generated\nresize: shirt\n");
    must_fail("set.yaml", ATOLL_EINPUT, "stretch, short, crop");
    yaml("set: generated\nmean: 3\n");
    must_fail("set.yaml", ATOLL_EINPUT, "go together");
    yaml("set: generated\nmean: [1, 2]\nstd: 1\n");
    must_fail("set.yaml", ATOLL_EINPUT, "one, or three");
    yaml("set: generated\nmean: 1\nstd: 0\n");
    must_fail("set.yaml", ATOLL_EINPUT, "std");
    yaml("images: images\nlist: list.txt\n");
    must_fail("set.yaml", ATOLL_EINPUT, "list.txt: line 1");
    yaml("images: images\nlist: list.txt\nmasks: images\n");
    must_fail("set.yaml", ATOLL_EINPUT, "only one");
    must_fail("nothing", ATOLL_EUSAGE, "known:");
    must_fail("mnist:", ATOLL_EUSAGE, "known:");
    must_fail("mnist:/nowhere", ATOLL_ENOTFOUND, "train-images");
    must_fail("fashion_mnist:/nowhere", ATOLL_ENOTFOUND, "dataset-fashion-mnist");
}

static void boxes(void **state)
{
    static const char text[] =
        "{\"images\": [{\"id\": 7, \"file_name\": \"b.jpg\"}, {\"id\": 3, \"file_name\": "
        "\"a.jpg\"}],"
        "\"categories\": [{\"id\": 1, \"name\": \"person\"}, {\"id\": 3, \"name\": \"car\"}],"
        "\"annotations\": [{\"image_id\": 3, \"category_id\": 3, \"bbox\": [1, 2, 10, 20]},"
        "{\"image_id\": 3, \"category_id\": 1, \"bbox\": [0, 0, 4, 4], \"iscrowd\": 1}]}";
    struct atoll_dataset_info info;
    (void)state;
    write_at(dir, "coco.json", text, sizeof text - 1);
    yaml("images: images\nannotations: coco.json\n");
    struct atoll_dataset *d = must_open("set.yaml");
    atoll_dataset_info(d, &info);
    assert_int_equal(info.task, ATOLL_TASK_DETECT);
    assert_int_equal(info.n_classes, 4);
    assert_int_equal(info.label_offset, -1);
    assert_string_equal(info.labels[3], "car");
    size_t n = 9;
    assert_null(atoll_dataset_boxes(d, ATOLL_PART_TEST, 0, &n));
    assert_int_equal(n, 0);
    const struct atoll_box *b = atoll_dataset_boxes(d, ATOLL_PART_TEST, 1, &n);
    assert_int_equal(n, 2);
    assert_true(b[0].x0 == 1 && b[0].y0 == 2 && b[0].x1 == 11 && b[0].y1 == 22);
    assert_int_equal(b[0].label, 3);
    assert_true(b[1].crowd && !b[0].crowd);
    atoll_dataset_close(&d);
    static const char *const bad[] = {
        "{\"images\": [], \"categories\": [{\"id\": 1}], \"annotations\": []}",
        "{\"images\": [{\"id\": 1, \"file_name\": \"x\"}], \"categories\": []}",
        "{\"images\": [{\"id\": 1, \"file_name\": \"x\"}], \"categories\": [{\"id\": 1}],"
        "\"annotations\": [{\"image_id\": 2, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]}]}",
        "{\"images\": [{\"id\": 1, \"file_name\": \"x\"}], \"categories\": [{\"id\": 1}],"
        "\"annotations\": [{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, -3, 4]}]}",
        "{\"images\": [{\"id\": 1, \"file_name\": \"x\"}], \"categories\": [{\"id\": 1}],"
        "\"annotations\": [{\"image_id\": 1, \"category_id\": 5, \"bbox\": [1, 2, 3, 4]}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_at(dir, "coco.json", bad[i], strlen(bad[i]));
        must_fail("set.yaml", ATOLL_EINPUT, "expected");
        if (i > 1) {
            assert_non_null(strstr(err.text, "annotations[0]"));
        }
    }
}

/* ----------------------------------------------------------------- generated */

static void generated(void **state)
{
    struct atoll_dataset_info info;
    (void)state;
    struct atoll_dataset *a = must_open("generated"), *b = must_open("generated");
    atoll_dataset_info(a, &info);
    assert_true(info.n_classes >= 20);
    assert_int_equal(info.n[0], 480);
    assert_int_equal(info.n[2], 96);
    for (int part = 0; part < 3; part++) {
        for (size_t i = 0; i < info.n[part]; i++) {
            uint32_t x = 0, y = 0;
            const uint8_t *p = atoll_dataset_pixels(a, (enum atoll_part)part, i, &x);
            const uint8_t *q = atoll_dataset_pixels(b, (enum atoll_part)part, i, &y);
            assert_int_equal(x, y);
            assert_int_equal(x, i % info.n_classes);
            assert_memory_equal(p, q, 32 * 32 * 3); /* whatever the threads */
        }
    }
    uint8_t one[3072], other[3072], label = 0;
    atoll__data_draw(1, ATOLL_PART_TEST, 5, one, &label);
    atoll__data_draw(1, ATOLL_PART_TRAIN, 5, other, &label);
    assert_memory_not_equal(one, other, sizeof one);
    atoll__data_draw(2, ATOLL_PART_TEST, 5, other, &label);
    assert_memory_not_equal(one, other, sizeof one);
    atoll_dataset_close(&a);
    atoll_dataset_close(&b);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(idx_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(idx_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(idx_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(cifar, setup, teardown),
        cmocka_unit_test_setup_teardown(folders, setup, teardown),
        cmocka_unit_test_setup_teardown(yaml_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(yaml_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(yaml_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(boxes, setup, teardown),
        cmocka_unit_test_setup_teardown(generated, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
