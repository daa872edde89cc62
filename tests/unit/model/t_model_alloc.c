/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of this room fails once: ATOLL_ENOMEM each time, and nothing leaks. */
#include "alloc_fail.h"
#include "model_chain.h"
#include "model_compiled.h"
#include "model_random.h"

struct job {
    const struct atoll_model *m;
    const uint8_t *bytes;
    size_t n;
    struct atoll_segmentation s;
    struct atoll_model *pieces[3];
};

static int parse(void *user)
{
    const struct job *j = user;
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    const int rc = atoll_model_parse("file", j->bytes, j->n, &m, &err);
    atoll_model_close(&m);
    return rc;
}

static int parse_without_err(void *user)
{
    const struct job *j = user;
    struct atoll_model *m = NULL;
    const int rc = atoll_model_parse("file", j->bytes, j->n, &m, NULL);
    atoll_model_close(&m);
    return rc;
}

static int serialize(void *user)
{
    const struct job *j = user;
    uint8_t *bytes = NULL;
    size_t n = 0;
    const int rc = atoll_model_serialize(j->m, &bytes, &n, NULL);
    atoll_free(bytes);
    return rc;
}

static int hash(void *user)
{
    char hex[65];
    return atoll_model_sha256(((const struct job *)user)->m, hex, NULL);
}

static int segment(void *user)
{
    const struct job *j = user;
    struct atoll_model *out = NULL;
    const int rc = atoll_model_segment(j->m, &j->s, 1, &out, NULL);
    atoll_model_close(&out);
    return rc;
}

static int merge(void *user)
{
    const struct job *j = user;
    struct atoll_model *out = NULL;
    const int rc = atoll_model_merge(j->pieces, j->s.n, &out, NULL);
    atoll_model_close(&out);
    return rc;
}

static int vendor(void *user)
{
    const struct job *j = user;
    uint32_t cuts[2];
    return atoll_model_vendor_cuts(j->m, 2, cuts, NULL);
}

static int compiled(void *user)
{
    struct atoll_compiled *c = NULL;
    const int rc = atoll_compiled_open(user, &c, NULL);
    atoll_compiled_close(&c);
    return rc;
}

/* The builder, each step's code passed on. */
static int build(void *user)
{
    (void)user;
    struct atoll_builder *b = NULL;
    struct atoll_model *m = NULL;
    int rc = atoll_builder_create("built", "x", &b, NULL);
    const float scale = 1;
    const int64_t zero = 0;
    const uint8_t bytes[4] = {1, 2, 3, 4};
    struct atoll_tensor t = {.name = "t",
                             .type = ATOLL_TYPE_INT8,
                             .rank = 1,
                             .shape = {4},
                             .quant = {.scale = &scale, .zero_point = &zero, .n = 1}};
    int32_t index[3] = {0, 1, 2};
    for (int i = 0; rc == 0 && i < 3; i++) {
        t.data = i == 2 ? bytes : NULL;
        const int32_t got = atoll_builder_tensor(b, &t, true, NULL);
        rc = got < 0 ? got : 0;
    }
    const struct atoll_op op = {.code = ATOLL_OP_CUSTOM,
                                .custom_name = "Own",
                                .inputs = index,
                                .n_inputs = 1,
                                .outputs = &index[1],
                                .n_outputs = 1,
                                .attr = atoll_op_attr_default()};
    if (rc == 0) {
        const int32_t got = atoll_builder_op(b, &op, NULL);
        rc = got < 0 ? got : 0;
    }
    rc = rc == 0 ? atoll_builder_finish(&b, &index[0], 1, &index[1], 1, &m, NULL) : rc;
    atoll_builder_destroy(&b);
    atoll_model_close(&m);
    return rc;
}

static void every_allocation(void **state)
{
    (void)state;
    struct job j = {.m = random_model(5, 20)};
    uint8_t *bytes = NULL;
    static uint32_t seg[20];
    assert_non_null(j.m);
    assert_int_equal(atoll_model_serialize(j.m, &bytes, &j.n, NULL), 0);
    j.bytes = bytes;
    for (uint32_t o = 0; o < 20; o++) {
        seg[o] = o < 7 ? 0 : o < 14 ? 1 : 2;
    }
    j.s = (struct atoll_segmentation){3, seg};
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(atoll_model_segment(j.m, &j.s, i, &j.pieces[i], NULL), 0);
    }
    alloc_fail_check(parse, &j);
    alloc_fail_check(parse_without_err, &j);
    alloc_fail_check(serialize, &j);
    alloc_fail_check(hash, &j);
    alloc_fail_check(segment, &j);
    alloc_fail_check(merge, &j);
    alloc_fail_check(build, NULL);
    struct job chain = {.m = conv_chain(4, 8)};
    alloc_fail_check(vendor, &chain);
    struct atoll_buf options = {0};
    cm_options(&options);
    struct atoll_model *m = cm_model(options.data, options.size);
    alloc_fail_check(compiled, m);
    atoll_buf_finish(&options);
    atoll_model_close(&m);
    m = (struct atoll_model *)(uintptr_t)chain.m;
    atoll_model_close(&m);
    m = (struct atoll_model *)(uintptr_t)j.m;
    atoll_model_close(&m);
    for (uint32_t i = 0; i < 3; i++) {
        atoll_model_close(&j.pieces[i]);
    }
    atoll_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
