/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

static void appends_and_takes(void **state)
{
    (void)state;
    struct atoll_buf b = {0};
    atoll_buf_puts(&b, "one");
    atoll_buf_append(&b, ",two", 4);
    atoll_buf_printf(&b, ",%d", 3);
    assert_string_equal(b.data, "one,two,3");
    size_t size = 0;
    char *text = atoll_buf_take(&b, &size);
    assert_int_equal(size, 9);
    assert_string_equal(text, "one,two,3");
    assert_null(b.data);
    atoll_free(text);
}

static void an_empty_buffer_gives_an_empty_text(void **state)
{
    (void)state;
    struct atoll_buf b = {0};
    char *text = atoll_buf_take(&b, NULL);
    assert_string_equal(text, "");
    atoll_free(text);
    atoll_buf_finish(&b);
}

static void bytes_with_nul(void **state)
{
    (void)state;
    struct atoll_buf b = {0};
    atoll_buf_append(&b, "a\0b", 3);
    assert_int_equal(b.size, 3);
    assert_memory_equal(b.data, "a\0b", 4);
    atoll_buf_finish(&b);
}

static void the_first_failure_is_remembered(void **state)
{
    (void)state;
    struct atoll_buf b = {0};
    atoll_buf_puts(&b, "kept");
    atoll_alloc_fail_after(1);
    atoll_buf_printf(&b, "%100d", 1);
    assert_true(b.failed);
    atoll_buf_puts(&b, "ignored");
    assert_string_equal(b.data, "kept");
    assert_null(atoll_buf_take(&b, NULL));
    assert_null(b.data);
    atoll_buf_append(&b, "", SIZE_MAX); /* the sum would overflow: refused before any copy */
    assert_true(b.failed);
    atoll_buf_finish(&b);
}

static void byte_sizes_as_the_compiler_prints_them(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0.00B"},          {1023, "1023.00B"},        {1024, "1.00KiB"},
        {619008, "604.50KiB"}, {3575644, "3.41MiB"},      {UINT64_C(1) << 30, "1.00GiB"},
        {UINT64_MAX, "16.00EiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        atoll_format_bytes(text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_takes),
        cmocka_unit_test(an_empty_buffer_gives_an_empty_text),
        cmocka_unit_test(bytes_with_nul),
        cmocka_unit_test(the_first_failure_is_remembered),
        cmocka_unit_test(byte_sizes_as_the_compiler_prints_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
