/* SPDX-License-Identifier: Apache-2.0 */
/* The reader on broken files: every answer is a code and a sentence. */
#include "fbwrite.h"
#include "model_chain.h"
#include "model_random.h"

static int parse(const void *bytes, size_t n, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    const int rc = atoll_model_parse("file.tflite", bytes, n, &m, err);
    atoll_model_close(&m);
    return rc;
}

static void bytes_of(const struct atoll_model *m, uint8_t **bytes, size_t *n)
{
    assert_int_equal(atoll_model_serialize(m, bytes, n, NULL), 0);
}

static void expect(const void *bytes, size_t n, int code, const char *why)
{
    struct atoll_err err = {0};
    assert_int_equal(parse(bytes, n, &err), code);
    if (strstr(err.text, why) == NULL || strncmp(err.text, "file.tflite: ", 13) != 0) {
        fail_msg("'%s' does not say 'file.tflite: ... %s'", err.text, why);
    }
}

static void not_a_model(void **state)
{
    (void)state;
    expect(NULL, 0, ATOLL_EINPUT, "0 bytes are too few");
    expect("abc", 3, ATOLL_EINPUT, "3 bytes are too few");
    expect("\x08\0\0\0DWN1........", 16, ATOLL_EINPUT, "expected the file identifier \"TFL3\"");
    expect("\x08\0\0\0TFL3........", 16, ATOLL_EINPUT, "table Model");
    expect("\xff\xff\xff\xffTFL3........", 16, ATOLL_EINPUT, "table Model at byte 4294967295");
    struct atoll_err err = {0};
    struct atoll_model *m = NULL;
    assert_int_equal(atoll_model_open("/nonexistent/file.tflite", &m, &err), ATOLL_ENOTFOUND);
    assert_non_null(strstr(err.text, "/nonexistent/file.tflite"));
}

/* A file cut at any length is refused: its last bytes are those of the last constant. */
static void every_truncation(void **state)
{
    (void)state;
    struct atoll_model *m = random_model(3, 12);
    uint8_t *bytes = NULL;
    size_t n = 0;
    bytes_of(m, &bytes, &n);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *exact = malloc(cut + 1); /* the sanitizer sees a read behind the end */
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        assert_int_not_equal(parse(exact, cut, NULL), 0);
        free(exact);
    }
    atoll_free(bytes);
    atoll_model_close(&m);
}

/* Any flipped bit gives a model or a sentence; what opens can be walked, written and cut. */
static void every_bit_flip(void **state)
{
    (void)state;
    struct atoll_model *m = random_model(4, 6);
    uint8_t *bytes = NULL;
    size_t n = 0;
    bytes_of(m, &bytes, &n);
    const size_t tables = n < 6000 ? n : 6000; /* behind them are weights */
    size_t refused = 0;
    for (size_t bit = 0; bit < tables * 8; bit++) {
        struct atoll_err err = {0};
        struct atoll_model *x = NULL;
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        const int rc = atoll_model_parse("file.tflite", bytes, n, &x, &err);
        if (rc != 0) {
            assert_true(rc == ATOLL_EINPUT || rc == ATOLL_ELIMIT || rc == ATOLL_EUNSUPPORTED);
            assert_true(strlen(err.text) > strlen("file.tflite: "));
            refused++;
        }
        atoll_model_close(&x);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(refused > tables / 2);
    atoll_free(bytes);
    atoll_model_close(&m);
}

static void random_bytes(void **state)
{
    (void)state;
    struct atoll_rng rng;
    atoll_rng_seed(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[256];
        const size_t n = 8 + (size_t)atoll_rng_below(&rng, sizeof bytes - 8);
        atoll_rng_bytes(&rng, bytes, n);
        if (i % 2 == 0) { /* let it look inside */
            memcpy(bytes, "\x10\0\0\0TFL3", 8);
        }
        assert_int_not_equal(parse(bytes, n, NULL), 0);
    }
}

/* ------------------------------------------------ files made wrong on purpose */

/* A model with one tensor, whose fields the test sets; everything else is left out. */
struct odd {
    struct atoll__fw w;
    size_t shape_at, tensor_at;
};

static void odd_model(struct odd *o, const int32_t *shape, uint32_t rank, uint8_t type,
                      uint32_t buffer, const int32_t *inputs, uint32_t n_inputs, uint32_t version)
{
    atoll__fw_init(&o->w, "TFL3", 1024);
    struct atoll__fw_table root = {0}, graph = {0}, tensor = {0};
    atoll__fw_scalar(&root, 0, 4, version, 0);
    atoll__fw_ref(&root, 2);
    atoll__fw_link_at(&o->w, 0, atoll__fw_table_write(&o->w, &root));
    const size_t graphs = atoll__fw_vector(&o->w, NULL, 1, 4, 4);
    atoll__fw_link(&o->w, &root, 2, graphs);
    atoll__fw_ref(&graph, 0);
    atoll__fw_ref(&graph, 1);
    atoll__fw_link_at(&o->w, atoll__fw_element(graphs, 0), atoll__fw_table_write(&o->w, &graph));
    const size_t tensors = atoll__fw_vector(&o->w, NULL, 1, 4, 4);
    atoll__fw_link(&o->w, &graph, 0, tensors);
    atoll__fw_link(&o->w, &graph, 1, atoll__fw_vector(&o->w, inputs, n_inputs, 4, 4));
    atoll__fw_ref(&tensor, 0);
    atoll__fw_scalar(&tensor, 1, 1, type, 0);
    atoll__fw_scalar(&tensor, 2, 4, buffer, 0);
    o->tensor_at = atoll__fw_table_write(&o->w, &tensor);
    atoll__fw_link_at(&o->w, atoll__fw_element(tensors, 0), o->tensor_at);
    o->shape_at = atoll__fw_vector(&o->w, shape, rank, 4, 4);
    atoll__fw_link(&o->w, &tensor, 0, o->shape_at);
    assert_false(o->w.failed);
}

static void expect_odd(const int32_t *shape, uint32_t rank, uint8_t type, uint32_t buffer,
                       const int32_t *inputs, uint32_t n_inputs, uint32_t version, int code,
                       const char *why)
{
    struct odd o;
    odd_model(&o, shape, rank, type, buffer, inputs, n_inputs, version);
    if (code == 0) {
        struct atoll_err err = {0};
        if (parse(o.w.data, o.w.size, &err) != 0) {
            fail_msg("%s", err.text);
        }
    } else {
        expect(o.w.data, o.w.size, code, why);
    }
    atoll__fw_finish(&o.w);
}

static void absurd_values(void **state)
{
    (void)state;
    const int32_t good[2] = {1, 4}, negative[2] = {-1, 4},
                  huge[4] = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
    const int32_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1},
                  hidden[5] = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, 0};
    const int32_t zero = 0, one = 1, minus = -1;
    static int32_t many[5000];
    expect_odd(good, 2, ATOLL_TYPE_INT8, 0, &zero, 1, 3, 0, NULL);
    expect_odd(hidden, 5, ATOLL_TYPE_INT8, 0, &zero, 1, 3, 0, NULL); /* no elements at all */
    expect_odd(good, 2, ATOLL_TYPE_INT8, 0, &zero, 1, 4, ATOLL_EUNSUPPORTED,
               "schema version 4 (expected 3)");
    expect_odd(negative, 2, ATOLL_TYPE_INT8, 0, &zero, 1, 3, ATOLL_EUNSUPPORTED,
               "dimension 0 of the shape is -1");
    expect_odd(huge, 4, ATOLL_TYPE_INT8, 0, &zero, 1, 3, ATOLL_ELIMIT,
               "more than 8589934592 bytes");
    expect_odd(nine, 9, ATOLL_TYPE_INT8, 0, &zero, 1, 3, ATOLL_ELIMIT,
               "9 dimensions (expected at most 8)");
    expect_odd(good, 2, 18, 0, &zero, 1, 3, ATOLL_EUNSUPPORTED, "type code 18");
    expect_odd(good, 2, ATOLL_TYPE_INT8, 7, &zero, 1, 3, ATOLL_EINPUT, "buffer 7");
    expect_odd(good, 2, ATOLL_TYPE_INT8, 0, &one, 1, 3, ATOLL_EINPUT,
               "input of the graph 0 is tensor 1");
    expect_odd(good, 2, ATOLL_TYPE_INT8, 0, &minus, 1, 3, ATOLL_EINPUT,
               "input of the graph 0 is tensor -1");
    expect_odd(good, 2, ATOLL_TYPE_INT8, 0, many, 5000, 3, ATOLL_ELIMIT,
               "5000 tensors in one list");
}

/* The table's vtable says something it should not. */
static void vtable_games(void **state)
{
    (void)state;
    static const struct {
        int offset; /* from the tensor's vtable; -1: the reference to it */
        uint32_t value;
        const char *why;
    } games[] = {
        {-1, 0x7fffffff, "its vtable would be at byte -"},
        {-1, 0x80000000, "its vtable would be at byte 2147"},
        {-1, 1, "its vtable would be at byte"},
        {0, 3, "vtable of 3"},
        {0, 0xfffe, "vtable of 65534"},
        {2, 2, "table of 2 bytes"},
        {2, 0xffff, "table of 65535 bytes"},
        {4, 3, "field 0 at offset 3"},
        {4, 200, "field 0 at offset 200"},
    };
    const int32_t shape[2] = {1, 4};
    const int32_t zero = 0;
    for (size_t i = 0; i < sizeof games / sizeof games[0]; i++) {
        struct odd o;
        odd_model(&o, shape, 2, ATOLL_TYPE_INT8, 0, &zero, 1, 3);
        const size_t vtable = o.tensor_at - atoll__load_u32(o.w.data + o.tensor_at);
        uint8_t *at =
            games[i].offset < 0 ? o.w.data + o.tensor_at : o.w.data + vtable + games[i].offset;
        const uint32_t v = games[i].value;
        at[0] = (uint8_t)v;
        at[1] = (uint8_t)(v >> 8);
        if (games[i].offset < 0) {
            at[2] = (uint8_t)(v >> 16);
            at[3] = (uint8_t)(v >> 24);
        }
        expect(o.w.data, o.w.size, ATOLL_EINPUT, games[i].why);
        atoll__fw_finish(&o.w);
    }
}

/* A field that begins inside its table and ends behind it. */
static void field_across_the_end(void **state)
{
    (void)state;
    const int32_t shape[2] = {1, 4};
    const int32_t zero = 0;
    struct odd o;
    odd_model(&o, shape, 2, ATOLL_TYPE_INT8, 0, &zero, 1, 3);
    const size_t vtable = o.tensor_at - atoll__load_u32(o.w.data + o.tensor_at);
    o.w.data[vtable + 4] = (uint8_t)(atoll__load_u16(o.w.data + vtable + 2) - 1);
    expect(o.w.data, o.w.size, ATOLL_EINPUT, "with 4 bytes leaves the table");
    atoll__fw_finish(&o.w);
}

static void option_out_of_range(void **state)
{
    (void)state;
    struct atoll_op_attr attr = atoll_op_attr_default();
    struct chain c = chain_start("range");
    c.first = chain_int8(&c, "x", 1, 1, 4);
    c.last = chain_int8(&c, "y", 1, 1, 4);
    attr.activation = (enum atoll_activation)77;
    chain_op_attr(&c, ATOLL_OP_ADD, (int32_t[]){c.first, c.first}, 2, c.last, &attr);
    struct atoll_model *m = chain_finish(&c);
    uint8_t *bytes = NULL;
    size_t n = 0;
    bytes_of(m, &bytes, &n);
    expect(bytes, n, ATOLL_EINPUT,
           "operator 0: AddOptions.fused_activation_function is 77 (expected 0 to 5)");
    atoll_free(bytes);
    m->ops[0].attr.activation = ATOLL_ACT_NONE;
    atoll_model_close(&m);
}

/* Thousands of operators that share one long list: memory stays bounded by the file. */
static void overlapping_vectors(void **state)
{
    (void)state;
    struct atoll__fw w;
    atoll__fw_init(&w, "TFL3", 1 << 20);
    struct atoll__fw_table root = {0}, graph = {0}, op = {0};
    atoll__fw_scalar(&root, 0, 4, 3, 0);
    atoll__fw_ref(&root, 1);
    atoll__fw_ref(&root, 2);
    atoll__fw_link_at(&w, 0, atoll__fw_table_write(&w, &root));
    const size_t graphs = atoll__fw_vector(&w, NULL, 1, 4, 4);
    atoll__fw_link(&w, &root, 2, graphs);
    atoll__fw_ref(&graph, 3);
    atoll__fw_link_at(&w, atoll__fw_element(graphs, 0), atoll__fw_table_write(&w, &graph));
    const size_t ops = atoll__fw_vector(&w, NULL, 20000, 4, 4);
    atoll__fw_link(&w, &graph, 3, ops);
    const size_t codes = atoll__fw_vector(&w, NULL, 1, 4, 4);
    atoll__fw_link(&w, &root, 1, codes);
    struct atoll__fw_table code = {0};
    atoll__fw_link_at(&w, atoll__fw_element(codes, 0), atoll__fw_table_write(&w, &code));
    atoll__fw_ref(&op, 1);
    const size_t one = atoll__fw_table_write(&w, &op);
    atoll__fw_link(&w, &op, 1, atoll__fw_vector(&w, NULL, 4000, 4, 4));
    for (uint32_t i = 0; i < 20000; i++) { /* references must point on: all to the one behind */
        atoll__fw_link_at(&w, atoll__fw_element(ops, i), one);
    }
    assert_false(w.failed);
    expect(w.data, w.size, ATOLL_ELIMIT, "the vectors of the file overlap");
    atoll__fw_finish(&w);
}

static void text_without_end(void **state)
{
    (void)state;
    struct chain c = chain_start("text");
    c.first = c.last = chain_int8(&c, "findme", 1, 1, 4);
    struct atoll_model *m = chain_finish(&c);
    uint8_t *bytes = NULL;
    size_t n = 0;
    bytes_of(m, &bytes, &n);
    for (size_t i = 0; i + 7 <= n; i++) {
        if (memcmp(bytes + i, "findme", 7) == 0) {
            bytes[i + 6] = 'x';
        }
    }
    expect(bytes, n, ATOLL_EINPUT, "does not end in a NUL");
    atoll_free(bytes);
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_a_model),          cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_bit_flip),       cmocka_unit_test(random_bytes),
        cmocka_unit_test(absurd_values),        cmocka_unit_test(vtable_games),
        cmocka_unit_test(overlapping_vectors),  cmocka_unit_test(text_without_end),
        cmocka_unit_test(field_across_the_end), cmocka_unit_test(option_out_of_range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
