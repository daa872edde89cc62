/* SPDX-License-Identifier: Apache-2.0 */
/* Random names and keys: a network or a sentence, never anything else. */
#include "atoll_test.h"

#include <atoll/zoo.h>

static const char *pick(struct atoll_rng *r, const char *const *list, size_t n) {
    return list[atoll_rng_below(r, n)];
}

/* A value that may be fine, at a border, or nonsense. */
static void random_value(struct atoll_rng *r, struct atoll_buf *out) {
    static const char *const values[] = {"0",      "1",    "2",    "3",    "7",
                                         "31",     "32",   "33",   "75",   "96",
                                         "224",    "1000", "4096", "4097", "65536",
                                         "0.25",   "1.3",  "4",    "0.05", "zero",
                                         "seeded", "",     "-1",   "1e9",  "99999999999999999999",
                                         "nan",    "x",    "%s",   "=",    "?"};
    atoll_buf_puts(out, pick(r, values, sizeof values / sizeof values[0]));
}

static void any_spec_builds_or_says_why(void **state) {
    (void)state;
    static const char *const keys[] = {"alpha", "size",   "classes", "layers", "filters", "kernel",
                                       "units", "inputs", "bias",    "seed",   "",        "sizes"};
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    size_t built = 0;
    size_t refused = 0;
    for (size_t i = 0; i < test_cases(3000); i++) {
        struct atoll_buf spec = {0};
        atoll_buf_puts(&spec, list[atoll_rng_below(&r, n)].name);
        const size_t pairs = atoll_rng_below(&r, 4);
        for (size_t k = 0; k < pairs; k++) {
            atoll_buf_puts(&spec, k == 0 ? "?" : "&");
            atoll_buf_puts(&spec, pick(&r, keys, sizeof keys / sizeof keys[0]));
            atoll_buf_puts(&spec, "=");
            random_value(&r, &spec);
        }
        if (atoll_rng_below(&r, 8) == 0) { /* one byte goes wrong */
            spec.data[atoll_rng_below(&r, spec.size)] = (char)(33 + atoll_rng_below(&r, 94));
        }
        struct atoll_model *m = NULL;
        struct atoll_err err = {0};
        const int code = atoll_zoo_build(spec.data, &m, &err);
        if (code == 0) {
            assert_true(m->n_ops > 0 && m->n_inputs == 1 && m->n_outputs > 0);
            built++;
        } else {
            if (code != ATOLL_EINPUT && code != ATOLL_ENOTFOUND && code != ATOLL_ELIMIT) {
                fail_msg("%s: %d %s", spec.data, code, err.text);
            }
            assert_null(m);
            assert_true(strlen(err.text) > 10);
            refused++;
        }
        atoll_model_close(&m);
        atoll_buf_finish(&spec);
    }
    assert_true(built > 100 && refused > 100); /* both sides are tried */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_spec_builds_or_says_why)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
