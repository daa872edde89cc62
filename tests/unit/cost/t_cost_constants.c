/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"

static void every_constant_has_its_fields(void **state)
{
    (void)state;
    size_t n;
    const struct atoll_constant *k = atoll_constants(&n);
    assert_int_equal(n, ATOLL__K_COUNT);
    for (size_t i = 0; i < n; i++) {
        assert_true(k[i].name[0] != 0 && k[i].unit[0] != 0 && k[i].source[0] != 0);
        assert_int_equal(strlen(k[i].date), 10);
        assert_true(k[i].u95 >= 0);
        assert_ptr_equal(atoll_constant_find(k[i].name), &k[i]); /* names are unique */
        assert_true(k[i].value == atoll__constants_default.v[i]);
    }
    assert_null(atoll_constant_find("no_such_constant"));
}

/** Names that occur in the text of a file of src/cost. */
static bool occurs(const char *file, const char *word)
{
    char path[512];
    const char *source = getenv("ATOLL_SOURCE");
    (void)snprintf(path, sizeof path, "%s/src/cost/%s", source != NULL ? source : ".", file);
    struct atoll_map map = {0};
    struct atoll_err err = {0};
    if (atoll_map_open(path, &map, &err) != 0) {
        fail_msg("%s", err.text);
    }
    bool found = false;
    const size_t n = strlen(word);
    for (size_t i = 0; i + n < map.size && !found; i++) {
        const unsigned char after = map.data[i + n];
        found = memcmp(map.data + i, word, n) == 0 && after != '_' &&
                !(after >= 'A' && after <= 'Z') && !(after >= '0' && after <= '9');
    }
    atoll_map_close(&map);
    return found;
}

static void every_constant_is_used_by_a_law(void **state)
{
    (void)state;
    static const char *const files[] = {"budget.c", "cost_shape.c", "cost_stage.c", "cycles.c",
                                        "memory.c", "packing.c",    "stage_time.c"};
    static const char *const ids[] = {
#define ID(id, n, v, u, un, src, d) "ATOLL__K_" #id,
        ATOLL__CONSTANTS(ID)
#undef ID
    };
    for (size_t i = 0; i < ATOLL__K_COUNT; i++) {
        bool used = false;
        for (size_t f = 0; f < sizeof files / sizeof files[0] && !used; f++) {
            used = occurs(files[f], ids[i]);
        }
        if (!used) {
            fail_msg("%s is in the table but no law reads it", ids[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_constant_has_its_fields),
        cmocka_unit_test(every_constant_is_used_by_a_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
