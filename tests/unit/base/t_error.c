/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

static void codes_have_their_names_and_exits(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *name;
        int exit_code;
    } table[] = {
        {ATOLL_OK, "OK", 0},
        {ATOLL_ENO, "ENO", 1},
        {ATOLL_EUSAGE, "EUSAGE", 2},
        {ATOLL_EINPUT, "EINPUT", 3},
        {ATOLL_ENOTFOUND, "ENOTFOUND", 3},
        {ATOLL_EUNSUPPORTED, "EUNSUPPORTED", 3},
        {ATOLL_ELIMIT, "ELIMIT", 3},
        {ATOLL_EDEVICE, "EDEVICE", 4},
        {ATOLL_ENOMEM, "ENOMEM", 5},
        {ATOLL_EIO, "EIO", 5},
        {ATOLL_EBUSY, "EBUSY", 5},
        {ATOLL_EINTERNAL, "EINTERNAL", 5},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(table[i].code, -(int)i); /* -1, -2, ... in this order, for ever */
        assert_string_equal(atoll_code_name(table[i].code), table[i].name);
        assert_int_equal(atoll_code_exit(table[i].code), table[i].exit_code);
        assert_true(strlen(atoll_code_text(table[i].code)) > 4);
    }
    assert_string_equal(atoll_code_name(1), "?");
    assert_string_equal(atoll_code_name(-1000), "?");
    assert_int_equal(atoll_code_exit(-1000), 5);
    assert_non_null(atoll_code_text(7));
}

static void fail_keeps_code_and_sentence(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    assert_int_equal(atoll_fail(&err, ATOLL_EINPUT, "bias %d", 3), ATOLL_EINPUT);
    assert_int_equal(err.code, ATOLL_EINPUT);
    assert_string_equal(err.text, "bias 3");
    assert_int_equal(atoll_fail_at(&err, "%s: operator %d", "m.tflite", 14), ATOLL_EINPUT);
    assert_string_equal(err.text, "m.tflite: operator 14: bias 3");
    assert_int_equal(atoll_fail(&err, ATOLL_EIO, "was '%s'", err.text), ATOLL_EIO);
    assert_string_equal(err.text, "was 'm.tflite: operator 14: bias 3'");
    assert_int_equal(atoll_fail(NULL, ATOLL_ENO, "x"), ATOLL_ENO);
}

static void long_sentences_are_cut(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)atoll_fail(&err, ATOLL_EINPUT, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    (void)atoll_fail_at(&err, "place");
    assert_memory_equal(err.text, "place: xxx", 10);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    (void)atoll_fail_at(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void no_memory_names_what_was_asked_for(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    assert_int_equal(atoll_fail_nomem(&err, "tensors", 1234), ATOLL_ENOMEM);
    assert_string_equal(err.text, "out of memory: 1234 bytes for tensors");
}

static void origins(void **state)
{
    (void)state;
    assert_string_equal(atoll_origin_name(ATOLL_ORIGIN_COMPUTED), "computed");
    assert_string_equal(atoll_origin_name(ATOLL_ORIGIN_SIMULATED), "simulated");
    assert_string_equal(atoll_origin_name(ATOLL_ORIGIN_MEASURED), "measured");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_their_names_and_exits),
        cmocka_unit_test(fail_keeps_code_and_sentence),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(no_memory_names_what_was_asked_for),
        cmocka_unit_test(origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
