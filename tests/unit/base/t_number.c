/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

#include <float.h>
#include <locale.h>
#include <math.h>

static void decimals_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"0", 0.0},      {"-1.5", -1.5}, {"+2", 2.0},    {".5", 0.5},
        {"3.", 3.0},     {"1e3", 1e3},   {"1.5E-3", 1.5e-3}, {"007", 7.0},
        {"1e-400", 0.0},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double v = NAN;
        assert_true(atoll_parse_double(good[i].text, &v));
        test_close(v, good[i].value, 0.0);
    }
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    " 1",  "1 ",   "0x10", "inf",   "nan", ".",  "e5",
                                      "1e",  "1e+", "1,5",  "--1",  "1.2.3", "1_0", "+",  "1e999",
                                      "1f",  "-",   "\t1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double v = 42.0;
        if (atoll_parse_double(bad[i], &v)) {
            fail_msg("'%s' was taken for a number", bad[i]);
        }
        test_close(v, 42.0, 0.0);
    }
    char digits[500];
    memset(digits, '1', sizeof digits - 1);
    digits[sizeof digits - 1] = '\0';
    double v = 0.0;
    assert_false(atoll_parse_double(digits, &v));
}

static void printed_numbers_read_back(void **state)
{
    (void)state;
    static const double values[] = {0.1,     1.0 / 3.0, 1e300,   DBL_MAX, DBL_MIN, 5e-324,
                                    -1e-5,   123456789.123456789, 2.0, 1e22, 0x1.fffffffffffffp52};
    char text[40];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        atoll_format_double(text, values[i]);
        test_close(strtod(text, NULL), values[i], 0.0);
    }
    atoll_format_double(text, 0.1);
    assert_string_equal(text, "0.1");
}

static void a_comma_locale_changes_nothing(void **state)
{
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL &&
        setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL) {
        skip(); /* no such locale on this machine */
    }
    char text[40];
    double v = 0.0;
    atoll_format_double(text, 2.5);
    const bool parsed = atoll_parse_double("2.5", &v);
    (void)setlocale(LC_NUMERIC, "C");
    assert_string_equal(text, "2.5");
    assert_true(parsed);
    test_close(v, 2.5, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_read),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(printed_numbers_read_back),
        cmocka_unit_test(a_comma_locale_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
