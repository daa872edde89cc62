/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled models on packages made by hand: both layouts, and what is refused. */
#include "atoll_test.h"
#include "model_chain.h"
#include "model_compiled.h"

static struct atoll_compiled *open_options(struct atoll_model **m, const struct atoll_buf *options)
{
    struct atoll_compiled *c = NULL;
    struct atoll_err err = {0};
    *m = cm_model(options->data, options->size);
    assert_non_null(*m);
    if (atoll_compiled_open(*m, &c, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

static void expect_execution(const struct atoll_exe *e, uint64_t token)
{
    assert_int_equal(e->type, ATOLL_EXE_EXECUTION_ONLY);
    assert_string_equal(e->name, "model");
    assert_string_equal(e->chip, "beagle");
    assert_int_equal(e->token, token);
    assert_int_equal(e->n_chunks, 2);
    assert_int_equal(e->chunk_bytes[1], 64);
    assert_int_equal(e->instruction_bytes, 96);
    assert_int_equal(e->narrow_bytes_per_tile, 1424);
    assert_int_equal(e->estimated_cycles64, 458040);
    assert_true(e->has_hints && e->fully_deterministic);
    assert_int_equal(e->hints_instruction, 2);
    assert_int_equal(e->hints_dma, 2);
    assert_int_equal(e->hints_fence, 1);
    assert_int_equal(e->hints_interrupt, 1);
    assert_int_equal(e->hint_in_instruction_bytes, 96);
    assert_int_equal(e->hint_in_activation_bytes, 192);
    assert_int_equal(e->hint_out_activation_bytes, 64);
    assert_int_equal(e->n_inputs, 1);
    assert_string_equal(e->inputs[0].name, "x");
    assert_int_equal(e->inputs[0].size_bytes, 192);
    assert_string_equal(e->outputs[0].type, "s8");
    assert_int_equal(e->parameter_bytes, 0);
}

static void todays_layout(void **state)
{
    (void)state;
    struct atoll_buf options = {0};
    struct atoll_model *m = NULL;
    cm_options(&options);
    struct atoll_compiled *c = open_options(&m, &options);
    assert_true(atoll_model_is_compiled(m));
    assert_int_equal(c->n_packages, 1);
    const struct atoll_package *p = &c->packages[0];
    char keys[100];
    (void)snprintf(keys, sizeof keys, "{\"1\": 0, \"4\": %llu, \"5\": -1}",
                   (unsigned long long)p->bytes);
    assert_string_equal(p->flex_keys, keys);
    assert_false(p->legacy);
    assert_int_equal(p->op, 0);
    assert_int_equal(p->min_runtime_version, 13);
    assert_string_equal(p->compiler_version, "cl/test");
    assert_int_equal(p->n_exes, 2);
    expect_execution(&p->exes[0], 0xfeed);
    assert_int_equal(p->exes[1].type, ATOLL_EXE_PARAMETER_CACHING);
    assert_int_equal(p->exes[1].parameter_bytes, 640);
    assert_false(p->exes[1].has_hints);
    atoll_compiled_close(&c);
    atoll_model_close(&m);
    atoll_buf_finish(&options);
}

static void oldest_layout(void **state)
{
    (void)state;
    struct atoll_buf options = {0};
    struct atoll_model *m = NULL;
    cm_options_legacy(&options);
    struct atoll_compiled *c = open_options(&m, &options);
    const struct atoll_package *p = &c->packages[0];
    assert_true(p->legacy);
    assert_string_equal(p->compiler_version, "");
    assert_int_equal(p->min_runtime_version, 0);
    assert_int_equal(p->n_exes, 2);
    expect_execution(&p->exes[0], 7);
    assert_int_equal(p->exes[1].parameter_bytes, 640);
    assert_non_null(strstr(p->flex_keys, "\"2\": 6"));
    atoll_compiled_close(&c);
    atoll_model_close(&m);
    atoll_buf_finish(&options);
}

static void expect_refused(const void *options, size_t n, const char *why)
{
    struct atoll_compiled *c = NULL;
    struct atoll_err err = {0};
    struct atoll_model *m = cm_model(options, n);
    assert_non_null(m);
    assert_int_equal(atoll_compiled_open(m, &c, &err), ATOLL_EINPUT);
    assert_null(c);
    if (strstr(err.text, why) == NULL ||
        strstr(err.text, "compiled.tflite: operator 0 (edgetpu-custom-op)") == NULL) {
        fail_msg("'%s' does not say '%s'", err.text, why);
    }
    atoll_model_close(&m);
}

static void broken_options(void **state)
{
    (void)state;
    struct atoll_buf b = {0};
    expect_refused(NULL, 0, "no FlexBuffer map: no root");
    expect_refused("\x07\x04\x01", 3, "no root"); /* an integer */
    expect_refused("\xff\x26\x04", 3, "no root");
    const struct cm_entry no_executable[] = {{"1", NULL, 0, 0}};
    cm_flex(&b, no_executable, 1);
    expect_refused(b.data, b.size, "no key \"4\"");
    atoll_buf_finish(&b);
    const struct cm_entry number[] = {{"4", NULL, 0, 5}};
    cm_flex(&b, number, 1);
    expect_refused(b.data, b.size, "neither text nor blob");
    atoll_buf_finish(&b);
    const struct cm_entry text[] = {{"4", "abcdefgh", 8, 0}};
    cm_flex(&b, text, 1);
    assert_int_equal(b.data[2], 8); /* the length of the text, behind the key "4" and its NUL */
    b.data[2] = (char)b.size;       /* more than is left, less than there is */
    expect_refused(b.data, b.size, "neither text nor blob");
    atoll_buf_finish(&b);
    const struct cm_entry nonsense[] = {{"4", "\x10\0\0\0DWN1nonsense", 16, 0}};
    cm_flex(&b, nonsense, 1);
    expect_refused(b.data, b.size, "package 0: table Package");
    atoll_buf_finish(&b);
}

static void a_hint_beyond_the_chunks(void **state)
{
    (void)state;
    struct atoll__fw exe;
    struct atoll_buf b = {0};
    cm_exe(&exe, ATOLL_EXE_EXECUTION_ONLY, 1);
    /* The first hint's chunk index is 0 and so left out: take the one that says 1 and make it 9. */
    bool found = false;
    for (size_t i = 0; i + 4 <= exe.size && !found; i++) {
        if (atoll__load_u32(exe.data + i) != 1) {
            continue;
        }
        exe.data[i] = 9;
        const struct cm_entry entry[] = {{"4", exe.data, exe.size, 0}};
        cm_flex(&b, entry, 1);
        struct atoll_model *m = cm_model(b.data, b.size);
        struct atoll_compiled *c = NULL;
        struct atoll_err err = {0};
        found =
            atoll_compiled_open(m, &c, &err) == ATOLL_EINPUT &&
            strstr(err.text, "legacy executable 0: a hint names instruction chunk 9 of 2") != NULL;
        atoll_compiled_close(&c);
        atoll_model_close(&m);
        atoll_buf_finish(&b);
        exe.data[i] = 1;
    }
    assert_true(found);
    atoll__fw_finish(&exe);
}

/* Any cut and any flipped bit: an answer, and no fault for the sanitizer to find. */
static void cuts_and_flips(void **state)
{
    (void)state;
    for (int legacy = 0; legacy < 2; legacy++) {
        struct atoll_buf b = {0};
        (legacy ? cm_options_legacy : cm_options)(&b);
        size_t refused = 0;
        for (size_t i = 0; i < b.size * 8; i++) {
            struct atoll_compiled *c = NULL;
            uint8_t *copy = malloc(b.size);
            assert_non_null(copy);
            memcpy(copy, b.data, b.size);
            copy[i / 8] ^= (uint8_t)(1 << i % 8);
            struct atoll_model *m = cm_model(copy, b.size);
            refused += m != NULL && atoll_compiled_open(m, &c, NULL) != 0;
            atoll_compiled_close(&c);
            atoll_model_close(&m);
            free(copy);
        }
        assert_true(refused > b.size / 4);
        for (size_t n = 0; n < b.size; n++) {
            struct atoll_compiled *c = NULL;
            struct atoll_model *m = cm_model(b.data, n);
            assert_int_not_equal(atoll_compiled_open(m, &c, NULL), 0);
            atoll_model_close(&m);
        }
        atoll_buf_finish(&b);
    }
}

static void other_models_have_no_packages(void **state)
{
    (void)state;
    struct atoll_model *m = conv_chain(1, 8);
    struct atoll_compiled *c = NULL;
    assert_false(atoll_model_is_compiled(m));
    assert_int_equal(atoll_compiled_open(m, &c, NULL), 0);
    assert_int_equal(c->n_packages, 0);
    atoll_compiled_close(&c);
    atoll_compiled_close(&c);
    atoll_compiled_close(NULL);
    atoll_model_close(&m);
    assert_string_equal(atoll_exe_type_name(ATOLL_EXE_PARAMETER_CACHING), "PARAMETER_CACHING");
    assert_string_equal(atoll_exe_type_name((enum atoll_exe_type)9), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(todays_layout),  cmocka_unit_test(oldest_layout),
        cmocka_unit_test(broken_options), cmocka_unit_test(a_hint_beyond_the_chunks),
        cmocka_unit_test(cuts_and_flips), cmocka_unit_test(other_models_have_no_packages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
