/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

#include <stdatomic.h>

enum { JOBS = 500 };

struct work {
    atomic_int runs[JOBS];
    size_t fails_from; /* this job and all later ones fail */
};

static int job(void *user, size_t index, struct atoll_err *err)
{
    struct work *w = user;
    atomic_fetch_add(&w->runs[index], 1);
    if (index >= w->fails_from) {
        return atoll_fail(err, ATOLL_EDEVICE, "job %zu", index);
    }
    return ATOLL_OK;
}

static void each_job_runs_once(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads <= 8; threads++) {
        struct work w = {.fails_from = JOBS};
        struct atoll_err err = {0};
        assert_int_equal(atoll_parallel(JOBS, threads, job, &w, &err), 0);
        for (size_t i = 0; i < JOBS; i++) {
            assert_int_equal(atomic_load(&w.runs[i]), 1);
        }
        assert_int_equal(err.code, 0);
    }
    assert_int_equal(atoll_parallel(0, 4, job, NULL, NULL), 0);
}

static void the_lowest_failure_is_reported(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 8; threads++) {
        struct work w = {.fails_from = 17};
        struct atoll_err err = {0};
        assert_int_equal(atoll_parallel(JOBS, threads, job, &w, &err), ATOLL_EDEVICE);
        assert_string_equal(err.text, "job 17");
        assert_int_equal(err.code, ATOLL_EDEVICE);
        assert_int_equal(atomic_load(&w.runs[JOBS - 1]), 0); /* no new job after a failure */
    }
    struct work w = {.fails_from = 0};
    assert_int_equal(atoll_parallel(JOBS, 2, job, &w, NULL), ATOLL_EDEVICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_runs_once),
        cmocka_unit_test(the_lowest_failure_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
