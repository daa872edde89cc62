/* SPDX-License-Identifier: Apache-2.0 */
#include "report_scratch.h"

#include "report_internal.h"

#include <math.h>
#include <string.h>

static void check(void (*put)(struct atoll_buf *, const char *), const char *in, const char *out)
{
    struct atoll_buf b = {0};
    put(&b, in);
    assert_string_equal(b.data ? b.data : "", out);
    atoll_buf_finish(&b);
}

static void html(void **state)
{
    (void)state;
    check(atoll__text_html, "<script>alert(\"1\" & '2')</script>",
          "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;");
    check(atoll__text_html, NULL, "");
    check(atoll__text_html, "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
}

static void json_text(void **state)
{
    (void)state;
    check(atoll__text_json, NULL, "null");
    check(atoll__text_json, "a\"b\\c\n", "\"a\\\"b\\\\c\\u000a\"");
    check(atoll__text_json, "</script>", "\"\\u003c/script\\u003e\"");
    check(atoll__text_json, "\xc3\xbc", "\"\xc3\xbc\"");
    /* Lone bytes, a cut sequence, an overlong form, a surrogate, beyond U+10FFFF. */
    check(atoll__text_json, "\xff", "\"\\ufffd\"");
    check(atoll__text_json, "\xe2\x82", "\"\\ufffd\\ufffd\"");
    check(atoll__text_json, "\xc0\xaf", "\"\\ufffd\\ufffd\"");
    check(atoll__text_json, "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    check(atoll__text_json, "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

static void csv(void **state)
{
    (void)state;
    check(atoll__text_csv, "plain", "plain");
    check(atoll__text_csv, NULL, "");
    check(atoll__text_csv, "a,\"b\"\n", "\"a,\"\"b\"\"\n\"");
    check(atoll__text_csv, "=1+1", "\"'=1+1\"");
    check(atoll__text_csv, "@x", "\"'@x\"");
}

static void numbers(void **state)
{
    (void)state;
    struct atoll_arena a = {0};
    struct atoll_buf b = {0};
    assert_string_equal(atoll__text_short(&a, 17.4423, 4), "17.44");
    assert_string_equal(atoll__text_short(&a, 0.0210, 3), "0.0210");
    assert_string_equal(atoll__text_short(&a, 1234.56, 3), "1235");
    assert_string_equal(atoll__text_short(&a, 1234567, 3), "1\xe2\x80\xaf"
                                                           "234\xe2\x80\xaf"
                                                           "567");
    assert_string_equal(atoll__text_short(&a, -12345.6, 3), "-12\xe2\x80\xaf"
                                                            "346");
    assert_string_equal(atoll__text_short(&a, 0, 3), "0");
    assert_string_equal(atoll__text_short(&a, NAN, 3), "unknown");
    assert_string_equal(atoll__text_bytes(&a, 512), "512 B");
    assert_string_equal(atoll__text_bytes(&a, 7.5 * 1048576), "7.50\xc2\xa0MiB");
    assert_string_equal(atoll__text_bytes(&a, NAN), "unknown");
    atoll__text_number(&b, NAN, 6);
    atoll__text_number(&b, INFINITY, 6);
    atoll__text_number(&b, 0.5, 6);
    assert_string_equal(b.data, "nullnull0.5");
    atoll_buf_finish(&b);
    atoll_arena_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(html), cmocka_unit_test(json_text),
                                       cmocka_unit_test(csv), cmocka_unit_test(numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
