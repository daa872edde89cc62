/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: what it keeps, what it makes, and that it always makes the same bytes. */
#include "model_chain.h"
#include "model_compare.h"
#include "model_random.h"

struct file {
    uint8_t *bytes;
    size_t n;
    struct atoll_model *m;
};

static struct file written(const struct atoll_model *m)
{
    struct file f = {0};
    struct atoll_err err = {0};
    if (atoll_model_serialize(m, &f.bytes, &f.n, &err) != 0 ||
        atoll_model_parse("written", f.bytes, f.n, &f.m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return f;
}

static void file_close(struct file *f)
{
    atoll_model_close(&f->m);
    atoll_free(f->bytes);
}

/* Value of an option by its name; -999 when the table has it not. */
static int64_t option(const struct atoll_op *op, const char *name, uint32_t element)
{
    const struct atoll__op_raw *raw = op->raw;
    const struct atoll__node *n = raw->options;
    for (uint32_t i = 0; n != NULL && i < n->schema->n_fields; i++) {
        const struct atoll__value *v = &n->values[i];
        if (strcmp(n->schema->fields[i].name, name) != 0 || !v->present) {
            continue;
        }
        if (n->schema->fields[i].kind == ATOLL__VEC_I32) {
            return element < v->n ? ((const int32_t *)v->p)[element] : -999;
        }
        return (int32_t)(uint32_t)v->bits;
    }
    return -999;
}

static void random_models_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct atoll_model *m = random_model(seed, 25);
        struct file f = written(m);
        const char *why = model_difference(m, f.m, NULL);
        if (why != NULL) {
            fail_msg("seed %llu: %s", (unsigned long long)seed, why);
        }
        struct file again = written(f.m), same = written(m);
        assert_int_equal(f.n, again.n);
        assert_memory_equal(f.bytes, again.bytes, f.n);
        assert_memory_equal(f.bytes, same.bytes, f.n);
        char a[65], b[65];
        assert_int_equal(atoll_model_sha256(m, a, NULL), 0);
        assert_int_equal(atoll_model_sha256(f.m, b, NULL), 0);
        assert_string_equal(a, b);
        file_close(&again);
        file_close(&same);
        file_close(&f);
        atoll_model_close(&m);
    }
}

/* Zoo hashes rest on these bytes. */
static void bytes_are_pinned(void **state)
{
    (void)state;
    struct atoll_model *m = conv_chain(2, 8);
    char hex[65];
    assert_int_equal(atoll_model_sha256(m, hex, NULL), 0);
    assert_string_equal(hex, "34273b4e9c431e84f47e9916c729cc8a2e0bdac5801b4085b4994219a9e14b55");
    atoll_model_close(&m);
}

static void constants_are_aligned_and_shared(void **state)
{
    (void)state;
    static const int32_t values[4] = {1, 2, 3, 4};
    struct chain c = chain_start("shared");
    struct atoll_tensor k = {
        .name = "k1", .type = ATOLL_TYPE_INT32, .rank = 1, .shape = {4}, .data = values};
    const int32_t k1 = atoll_builder_tensor(c.b, &k, false, NULL);
    k.name = "k2"; /* the same bytes: one buffer */
    const int32_t k2 = atoll_builder_tensor(c.b, &k, false, NULL);
    k.name = "k3"; /* equal bytes elsewhere: another */
    const int32_t k3 = atoll_builder_tensor(c.b, &k, true, NULL);
    c.first = chain_int8(&c, "x", 1, 1, 4);
    c.last = chain_int8(&c, "y", 1, 1, 4);
    chain_op(&c, ATOLL_OP_CUSTOM, (int32_t[]){c.first, k1, k2, k3}, 4, c.last);
    struct atoll_model *m = chain_finish(&c);
    struct file f = written(m);
    assert_ptr_equal(f.m->tensors[k1].data, f.m->tensors[k2].data);
    assert_ptr_not_equal(f.m->tensors[k1].data, f.m->tensors[k3].data);
    for (uint32_t i = 0; i < f.m->n_tensors; i++) {
        if (f.m->tensors[i].is_constant) {
            assert_int_equal(((const uint8_t *)f.m->tensors[i].data - f.bytes) % 16, 0);
        }
    }
    file_close(&f);
    atoll_model_close(&m);
}

/* Options that no attribute carries come from the tensors. */
static void options_are_derived(void **state)
{
    (void)state;
    struct chain c = chain_start("derived");
    c.first = chain_tensor(&c, "x", ATOLL_TYPE_INT8, 4, (int32_t[]){1, 5, 1, 8}, ATOLL_FILL_NONE);
    const int32_t w =
        chain_tensor(&c, "w", ATOLL_TYPE_INT8, 4, (int32_t[]){1, 1, 1, 16}, ATOLL_FILL_INT8);
    const int32_t squeezed =
        chain_tensor(&c, "s", ATOLL_TYPE_INT8, 3, (int32_t[]){1, 5, 8}, ATOLL_FILL_NONE);
    const int32_t shaped =
        chain_tensor(&c, "r", ATOLL_TYPE_INT8, 2, (int32_t[]){4, 10}, ATOLL_FILL_NONE);
    const int32_t cast =
        chain_tensor(&c, "f", ATOLL_TYPE_FLOAT32, 2, (int32_t[]){4, 10}, ATOLL_FILL_NONE);
    const int32_t best =
        chain_tensor(&c, "a", ATOLL_TYPE_INT64, 1, (int32_t[]){4}, ATOLL_FILL_NONE);
    c.last = chain_tensor(&c, "d", ATOLL_TYPE_INT8, 4, (int32_t[]){1, 5, 1, 16}, ATOLL_FILL_NONE);
    chain_op(&c, ATOLL_OP_SQUEEZE, &c.first, 1, squeezed);
    chain_op(&c, ATOLL_OP_RESHAPE, &squeezed, 1, shaped);
    chain_op(&c, ATOLL_OP_CAST, &shaped, 1, cast);
    chain_op(&c, ATOLL_OP_ARG_MAX, &cast, 1, best);
    chain_op(&c, ATOLL_OP_DEPTHWISE_CONV_2D, (int32_t[]){c.first, w, -1}, 3, c.last);
    struct atoll_model *m = chain_finish(&c);
    struct file f = written(m);
    assert_int_equal(option(&f.m->ops[0], "squeeze_dims", 0), 2);
    assert_int_equal(option(&f.m->ops[0], "squeeze_dims", 1), -999);
    assert_int_equal(option(&f.m->ops[1], "new_shape", 0), 4);
    assert_int_equal(option(&f.m->ops[1], "new_shape", 1), 10);
    assert_int_equal(option(&f.m->ops[2], "in_data_type", 0), ATOLL_TYPE_INT8);
    assert_int_equal(option(&f.m->ops[2], "out_data_type", 0), -999); /* FLOAT32 is the default 0 */
    assert_int_equal(option(&f.m->ops[3], "output_type", 0), ATOLL_TYPE_INT64);
    assert_int_equal(f.m->ops[4].attr.depth_multiplier, 2);
    file_close(&f);
    atoll_model_close(&m);
}

/* Every attribute of every option table survives, at values that are not the default. */
static void attributes_survive(void **state)
{
    (void)state;
    for (int code = 0; code <= ATOLL_OP_CODE_MAX; code++) {
        const struct atoll__opcode *o = atoll__opcode_get(code);
        const struct atoll__schema *schema = atoll__option_schema(o->options);
        struct atoll_op_attr a = atoll_op_attr_default();
        if (schema == NULL || code == ATOLL_OP_CUSTOM) {
            continue;
        }
        for (uint32_t i = 0; i < schema->n_fields; i++) {
            const struct atoll__field *field = &schema->fields[i];
            if (!field->in_attr) {
                continue;
            }
            char *at = (char *)&a + field->attr_offset;
            const bool yes = field->def == 0;
            const float number = 0.25f;
            const int32_t integer = field->max == 1 ? 1 : 3;
            memcpy(at,
                   field->kind == ATOLL__BOOL  ? (const void *)&yes
                   : field->kind == ATOLL__F32 ? (const void *)&number
                                               : (const void *)&integer,
                   field->kind == ATOLL__BOOL ? sizeof yes : 4);
        }
        struct chain c = chain_start("attr");
        c.first = chain_int8(&c, "x", 4, 4, 4);
        c.last = chain_int8(&c, "y", 4, 4, 4);
        chain_op_attr(&c, code, &c.first, 1, c.last, &a);
        struct atoll_model *m = chain_finish(&c);
        struct file f = written(m);
        if (!atoll__attr_equal(&f.m->ops[0].attr, &a) || f.m->ops[0].code != code) {
            fail_msg("%s loses an attribute", o->name);
        }
        file_close(&f);
        atoll_model_close(&m);
    }
}

/* A copied operator keeps the options we do not show, also when a shown one was changed. */
static void copied_operator_keeps_options(void **state)
{
    (void)state;
    struct atoll_model *m = conv_chain(1, 8);
    struct file f = written(m);
    struct atoll__op_raw *raw = (struct atoll__op_raw *)(uintptr_t)f.m->ops[1].raw;
    struct atoll__value *hidden = &raw->options->values[6]; /* Conv2DOptions.quantized_bias_type */
    assert_string_equal(raw->options->schema->fields[6].name, "quantized_bias_type");
    *hidden = (struct atoll__value){.present = true, .bits = ATOLL_TYPE_INT16};
    f.m->ops[1].attr.stride_h = 2;
    struct file g = written(f.m);
    assert_int_equal(g.m->ops[1].attr.stride_h, 2);
    assert_int_equal(g.m->ops[1].attr.stride_w, 1);
    assert_int_equal(option(&g.m->ops[1], "quantized_bias_type", 0), ATOLL_TYPE_INT16);
    raw->lossy_what = "a field of a newer schema";
    uint8_t *bytes = NULL;
    size_t n = 0;
    struct atoll_err err = {0};
    assert_int_equal(atoll_model_serialize(f.m, &bytes, &n, &err), ATOLL_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "operator 1 (CONV_2D) holds a field of a newer schema"));
    f.m->n_subgraphs = 2;
    assert_int_equal(atoll_model_serialize(f.m, &bytes, &n, &err), ATOLL_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "2 subgraphs"));
    file_close(&f);
    file_close(&g);
    atoll_model_close(&m);
}

static void too_large_is_refused(void **state)
{
    (void)state;
    struct chain c = chain_start("large");
    c.first = chain_int8(&c, "x", 1, 1, 4);
    c.last = chain_int8(&c, "y", 1, 1, 4);
    const int32_t w =
        chain_tensor(&c, "w", ATOLL_TYPE_INT8, 2, (int32_t[]){65536, 32768}, ATOLL_FILL_INT8);
    chain_op(&c, ATOLL_OP_FULLY_CONNECTED, (int32_t[]){c.first, w}, 2, c.last);
    struct atoll_model *m = chain_finish(&c);
    uint8_t *bytes = NULL;
    size_t n = 0;
    struct atoll_err err = {0};
    assert_int_equal(atoll_model_serialize(m, &bytes, &n, &err), ATOLL_ELIMIT);
    assert_non_null(strstr(err.text, "2 GiB"));
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_models_come_back),
                                       cmocka_unit_test(bytes_are_pinned),
                                       cmocka_unit_test(constants_are_aligned_and_shared),
                                       cmocka_unit_test(options_are_derived),
                                       cmocka_unit_test(attributes_survive),
                                       cmocka_unit_test(copied_operator_keeps_options),
                                       cmocka_unit_test(too_large_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
