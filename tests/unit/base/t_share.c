/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

static void the_order_is_given_environment_installed_source(void **state)
{
    (void)state;
    assert_int_equal(setenv("ATOLL_SHARE", "/from/environment", 1), 0);
    char **dirs = atoll_share_dirs("/given");
    assert_non_null(dirs);
    assert_string_equal(dirs[0], "/given");
    assert_string_equal(dirs[1], "/from/environment");
    assert_non_null(strstr(dirs[2], "/share/atoll"));
    assert_non_null(strstr(dirs[3], "/share"));
    assert_null(dirs[4]);
    atoll_share_dirs_free(dirs);
    assert_int_equal(setenv("ATOLL_SHARE", "", 1), 0); /* empty: as if not set */
    dirs = atoll_share_dirs(NULL);
    assert_non_null(strstr(dirs[0], "/share/atoll"));
    assert_null(dirs[2]);
    atoll_share_dirs_free(dirs);
    atoll_share_dirs_free(NULL);
}

static void the_first_hit_wins_and_a_miss_names_the_places(void **state)
{
    (void)state;
    char dir[256], file[300];
    test_scratch(dir);
    (void)snprintf(file, sizeof file, "%s/x.yaml", dir);
    assert_int_equal(atoll_write_file(file, "a: 1", 4, NULL), 0);
    char *path = NULL;
    struct atoll_err err = {0};
    assert_int_equal(setenv("ATOLL_SHARE", dir, 1), 0);
    assert_int_equal(atoll_share_find("/no/such/directory", "x.yaml", &path, &err), 0);
    assert_string_equal(path, file);
    atoll_free(path);
    path = NULL;
    assert_int_equal(atoll_share_find(NULL, "y.yaml", &path, &err), ATOLL_ENOTFOUND);
    assert_null(path);
    assert_non_null(strstr(err.text, "y.yaml"));
    assert_non_null(strstr(err.text, dir));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_given_environment_installed_source),
        cmocka_unit_test(the_first_hit_wins_and_a_miss_names_the_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
