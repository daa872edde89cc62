/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: who lists a tensor, what is refused, and what joining refuses. */
#include "model_chain.h"
#include "model_compare.h"

/* x -> 0 -> a -> 1 -> b -> 2 -> c -> 3 -> y, with a skip from a to 3; b is an output as well. */
static struct atoll_model *skip_model(void)
{
    struct chain c = chain_start("skip");
    int32_t t[5];
    for (int i = 0; i < 5; i++) {
        t[i] = chain_int8(&c, (const char *[]){"x", "a", "b", "c", "y"}[i], 4, 4, 4);
    }
    const int32_t k = chain_tensor(&c, "k", ATOLL_TYPE_INT8, 1, (int32_t[]){4}, ATOLL_FILL_INT8);
    chain_op(&c, ATOLL_OP_MUL, (int32_t[]){t[0], k}, 2, t[1]);
    chain_op(&c, ATOLL_OP_RELU, &t[1], 1, t[2]);
    chain_op(&c, ATOLL_OP_MUL, (int32_t[]){t[2], k}, 2, t[3]);
    chain_op(&c, ATOLL_OP_ADD, (int32_t[]){t[1], t[3]}, 2, t[4]);
    struct atoll_model *m = NULL;
    assert_int_equal(atoll_builder_finish(&c.b, &t[0], 1, (int32_t[]){t[4], t[2]}, 2, &m, NULL), 0);
    return m;
}

static struct atoll_model *piece(const struct atoll_model *m, const struct atoll_segmentation *s,
                                 uint32_t i)
{
    struct atoll_model *p = NULL;
    struct atoll_err err = {0};
    if (atoll_model_segment(m, s, i, &p, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return p;
}

static void expect_names(const struct atoll_model *m, const int32_t *list, uint32_t n,
                         const char *expected)
{
    char text[200] = "";
    for (uint32_t i = 0; i < n; i++) {
        const size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, i > 0 ? " %s" : "%s",
                       m->tensors[list[i]].name);
    }
    assert_string_equal(text, expected);
}

static void boundaries(void **state)
{
    (void)state;
    struct atoll_model *m = skip_model();
    const uint32_t seg[4] = {0, 1, 2, 2};
    const struct atoll_segmentation s = {3, seg};
    static const char *const in[3] = {"x", "a", "a b"}, *const out[3] = {"a", "b", "y"};
    struct atoll_model *p[3];
    for (uint32_t i = 0; i < 3; i++) {
        p[i] = piece(m, &s, i);
        expect_names(p[i], p[i]->inputs, p[i]->n_inputs, in[i]);
        expect_names(p[i], p[i]->outputs, p[i]->n_outputs, out[i]);
    }
    assert_int_equal(p[1]->n_tensors, 2);
    assert_string_equal(p[1]->path, "skip#segment_1_of_3");
    assert_string_equal(p[2]->tensors[p[2]->ops[0].inputs[1]].name,
                        "k"); /* a copy of the shared constant */
    struct atoll_model *joined = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_model_merge(p, 3, &joined, &err), 0);
    assert_null(model_difference(m, joined, NULL));
    assert_int_equal(joined->n_tensors, m->n_tensors); /* the constant is one again */
    atoll_model_close(&joined);

    /* The middle segment is missing: the whole graph would not have "b" as an input. */
    struct atoll_model *gap[2] = {p[0], p[2]};
    assert_int_equal(atoll_model_merge(gap, 2, &joined, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "'b', which nothing writes"));
    /* Wrong order: what is handed out was read before. */
    struct atoll_model *twisted[3] = {p[1], p[0], p[2]};
    assert_int_equal(atoll_model_merge(twisted, 3, &joined, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "'a' is handed out here, but an earlier segment reads"));
    assert_int_equal(atoll_model_merge(p, 0, &joined, &err), ATOLL_EUSAGE);
    for (uint32_t i = 0; i < 3; i++) {
        atoll_model_close(&p[i]);
    }
    atoll_model_close(&m);
}

static void expect_refused(const struct atoll_model *m, uint32_t n, const uint32_t *seg,
                           const char *why)
{
    const struct atoll_segmentation s = {n, seg};
    struct atoll_err err = {0};
    struct atoll_model *p = NULL;
    assert_int_equal(atoll_segmentation_check(m, &s, &err), ATOLL_EUSAGE);
    if (strstr(err.text, why) == NULL) {
        fail_msg("'%s' does not say '%s'", err.text, why);
    }
    assert_int_equal(atoll_model_segment(m, &s, 0, &p, NULL), ATOLL_EUSAGE);
    assert_null(p);
}

static void wrong_segmentations(void **state)
{
    (void)state;
    struct atoll_model *m = skip_model();
    expect_refused(m, 2, (uint32_t[]){0, 1, 0, 1},
                   "operator 2 of segment 0 reads 'b', which segment 1 writes later");
    expect_refused(m, 3, (uint32_t[]){0, 0, 2, 2}, "segment 1 of 3 has no operator");
    expect_refused(m, 2, (uint32_t[]){0, 1, 2, 1}, "operator 2 in segment 2 (expected 0 to 1)");
    expect_refused(m, 0, (uint32_t[]){0, 0, 0, 0}, "0 segments");
    expect_refused(m, 5, (uint32_t[]){0, 1, 2, 3}, "5 segments of 4 operators");
    const uint32_t whole[4] = {0};
    const struct atoll_segmentation s = {1, whole};
    struct atoll_model *p = NULL;
    assert_int_equal(atoll_model_segment(m, &s, 1, &p, NULL), ATOLL_EUSAGE);
    atoll_model_close(&m);
}

static void state_is_not_cut(void **state)
{
    (void)state;
    struct chain c = chain_start("state");
    int32_t t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = chain_int8(&c, "t", 1, 1, 4);
    }
    const int32_t memory = chain_int8(&c, "memory", 1, 1, 4);
    atoll_builder_get(c.b, memory)->is_variable = true;
    chain_op(&c, ATOLL_OP_CUSTOM, (int32_t[]){t[0], memory}, 2, t[1]);
    chain_op(&c, ATOLL_OP_CUSTOM, (int32_t[]){t[1], memory}, 2, t[2]);
    c.first = t[0];
    c.last = t[2];
    struct atoll_model *m = chain_finish(&c);
    expect_refused(m, 2, (uint32_t[]){0, 1}, "share the state tensor 3 'memory'");
    const uint32_t together[2] = {0, 0};
    const struct atoll_segmentation s = {1, together};
    assert_int_equal(atoll_segmentation_check(m, &s, NULL), 0);
    atoll_model_close(&m);
}

/* Names that do not tell tensors apart are made unique, the same way in each segment. */
static void ambiguous_names(void **state)
{
    (void)state;
    struct atoll_model *m = conv_chain(3, 4); /* all activations are called "y" */
    const uint32_t seg[4] = {0, 1, 2, 3};
    const struct atoll_segmentation s = {4, seg};
    struct atoll_model *p[4], *joined = NULL;
    for (uint32_t i = 0; i < 4; i++) {
        p[i] = piece(m, &s, i);
    }
    assert_string_equal(p[1]->tensors[p[1]->outputs[0]].name, p[2]->tensors[p[2]->inputs[0]].name);
    assert_string_not_equal(p[1]->tensors[p[1]->outputs[0]].name, "y");
    assert_int_equal(atoll_model_merge(p, 4, &joined, NULL), 0);
    assert_int_equal(joined->n_ops, 4);
    assert_int_equal(joined->n_tensors, m->n_tensors);
    for (uint32_t i = 0; i < 4; i++) {
        atoll_model_close(&p[i]);
    }
    atoll_model_close(&joined);
    atoll_model_close(&m);
}

/* LSTM: indices of intermediates follow their tensors. */
static void intermediates_are_renumbered(void **state)
{
    (void)state;
    struct chain c = chain_start("lstm");
    int32_t t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = chain_int8(&c, (const char *[]){"t0", "t1", "t2", "t3"}[i], 1, 1, 4);
    }
    const int32_t hidden = chain_int8(&c, "hidden", 1, 1, 4);
    chain_op(&c, ATOLL_OP_RELU, &t[0], 1, t[1]);
    const struct atoll_op lstm = {.code = ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM,
                                  .inputs = (int32_t[]){t[1], -1},
                                  .n_inputs = 2,
                                  .outputs = &t[2],
                                  .n_outputs = 1,
                                  .intermediates = (int32_t[]){hidden, -1},
                                  .n_intermediates = 2,
                                  .attr = atoll_op_attr_default()};
    assert_int_equal(atoll_builder_op(c.b, &lstm, NULL), 1);
    chain_op(&c, ATOLL_OP_RELU, &t[2], 1, t[3]);
    c.first = t[0];
    c.last = t[3];
    struct atoll_model *m = chain_finish(&c);
    const uint32_t seg[3] = {0, 1, 1};
    const struct atoll_segmentation s = {2, seg};
    struct atoll_model *p = piece(m, &s, 1);
    assert_int_equal(p->ops[0].n_intermediates, 2);
    assert_string_equal(p->tensors[p->ops[0].intermediates[0]].name, "hidden");
    assert_int_equal(p->ops[0].intermediates[1], -1);
    assert_int_equal(p->ops[0].inputs[1], -1);
    atoll_model_close(&p);
    atoll_model_close(&m);
}

/* One operator y = x * k, with k of its own. */
static struct atoll_model *scaled(const char *in, const char *out, const uint8_t k[4])
{
    struct chain c = chain_start("scaled");
    c.first = chain_int8(&c, in, 1, 1, 4);
    c.last = chain_int8(&c, out, 1, 1, 4);
    const struct atoll_tensor t = {
        .name = "k", .type = ATOLL_TYPE_INT8, .rank = 1, .shape = {4}, .data = k};
    const int32_t constant = atoll_builder_tensor(c.b, &t, true, NULL);
    chain_op(&c, ATOLL_OP_MUL, (int32_t[]){c.first, constant}, 2, c.last);
    return chain_finish(&c);
}

/* Constants of one name are one tensor when they hold the same bytes, and stay two otherwise. */
static void constants_of_one_name(void **state)
{
    (void)state;
    const uint8_t one[4] = {1, 2, 3, 4}, other[4] = {1, 2, 3, 5};
    for (int same = 0; same < 2; same++) {
        struct atoll_model *p[2] = {scaled("x", "a", one), scaled("a", "y", same ? one : other)},
                           *joined = NULL;
        assert_int_equal(atoll_model_merge(p, 2, &joined, NULL), 0);
        assert_int_equal(joined->n_tensors, same ? 4 : 5);
        assert_memory_equal(joined->tensors[joined->ops[1].inputs[1]].data, same ? one : other, 4);
        expect_names(joined, joined->outputs, joined->n_outputs,
                     "y"); /* without metadata: what nobody reads */
        atoll_model_close(&joined);
        atoll_model_close(&p[0]);
        atoll_model_close(&p[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(boundaries),
                                       cmocka_unit_test(wrong_segmentations),
                                       cmocka_unit_test(state_is_not_cut),
                                       cmocka_unit_test(ambiguous_names),
                                       cmocka_unit_test(intermediates_are_renumbered),
                                       cmocka_unit_test(constants_of_one_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
