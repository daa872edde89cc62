/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"

static double mib(const struct atoll__situation *s)
{
    return atoll__cost_budget(&atoll__constants_default, s).mib;
}

static void situations_of_the_logs(void **state)
{
    (void)state;
    test_close(mib(&(struct atoll__situation){0}), 7.74, 1e-9);
    test_close(mib(&(struct atoll__situation){.has_array = true}), 7.655, 1e-9);
    test_close(mib(&(struct atoll__situation){.has_array = true, .has_add = true, .image_px = 32}),
               7.655, 1e-9);
    test_close(mib(&(struct atoll__situation){.has_array = true, .has_add = true, .image_px = 224}),
               7.14, 1e-9);
    test_close(
        mib(&(struct atoll__situation){.has_array = true, .has_concat = true, .image_px = 224}),
        6.59, 1e-9);
    test_close(mib(&(struct atoll__situation){
                   .has_array = true, .has_concat = true, .has_add = true, .image_px = 299}),
               5.53, 1e-9);
    test_close(mib(&(struct atoll__situation){.has_array = true, .image_px = 512}), 4.62, 1e-9);
    test_close(mib(&(struct atoll__situation){.has_array = true, .image_px = 5000}), 3.91, 1e-9);
}

static void a_larger_image_never_leaves_more_room(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        double last = 99.0;
        for (uint64_t px = 97; px < 1500; px++) {
            const double now = mib(&(struct atoll__situation){.has_array = true,
                                                              .has_add = (kind & 1) != 0,
                                                              .has_concat = (kind & 2) != 0,
                                                              .image_px = px});
            assert_true(now <= last);
            last = now;
        }
    }
}

static void a_wide_boundary_lowers_the_budget_step_by_step(void **state)
{
    (void)state;
    double last = 99.0;
    for (uint64_t kib = 0; kib < 4096; kib += 64) {
        const double now =
            mib(&(struct atoll__situation){.has_array = true, .input_bytes = kib * 1024});
        assert_true(now <= last);
        last = now;
    }
    test_close(last, atoll__constants_default.v[ATOLL__K_BUDGET_WIDE], 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(situations_of_the_logs),
        cmocka_unit_test(a_larger_image_never_leaves_more_room),
        cmocka_unit_test(a_wide_boundary_lowers_the_budget_step_by_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
