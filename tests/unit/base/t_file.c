/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char dir[256];
static char path[300];

static int set_up(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/file", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir); /* fails when a temporary file was left behind */
}

static void what_was_written_is_mapped(void **state)
{
    (void)state;
    struct atoll_map map = {0};
    assert_int_equal(atoll_write_file(path, "hello", 5, NULL), 0);
    assert_int_equal(atoll_map_open(path, &map, NULL), 0);
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "hello", 5);
    atoll_map_close(&map);
    assert_null(map.data);
    atoll_map_close(&map);
    atoll_map_close(NULL);
}

static void an_empty_file_is_null_and_zero(void **state)
{
    (void)state;
    struct atoll_map map = {.data = (const uint8_t *)"", .size = 9};
    assert_int_equal(atoll_write_file(path, NULL, 0, NULL), 0);
    assert_int_equal(atoll_map_open(path, &map, NULL), 0);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    atoll_map_close(&map);
}

static void what_cannot_be_read_is_told_apart(void **state)
{
    (void)state;
    struct atoll_map map = {.size = 9};
    struct atoll_err err = {0};
    assert_int_equal(atoll_map_open(path, &map, &err), ATOLL_ENOTFOUND);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(atoll_code_exit(err.code), 3);
    assert_int_equal(atoll_map_open(dir, &map, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "is a directory"));
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    assert_int_equal(atoll_map_open(path, &map, &err), ATOLL_EINPUT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(map.size, 9); /* outputs untouched on failure */
}

static void no_permission_is_an_io_error(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        skip(); /* root may read everything */
    }
    struct atoll_map map = {0};
    assert_int_equal(atoll_write_file(path, "x", 1, NULL), 0);
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(atoll_map_open(path, &map, NULL), ATOLL_EIO);
}

static void a_full_disk_is_named(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    assert_int_equal(atoll_write_file("/dev/full", "x", 1, &err), ATOLL_EIO);
    assert_string_equal(err.text, "/dev/full: cannot write it: No space left on device");
    assert_int_equal(access("/dev/full", F_OK), 0); /* written in place, not replaced */
}

static void a_failed_write_keeps_the_old_file(void **state)
{
    (void)state;
    static char large[100000];
    struct atoll_map map = {0};
    struct atoll_err err = {0};
    assert_int_equal(atoll_write_file(path, "old", 3, NULL), 0);
    struct rlimit was;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    const struct rlimit small = {.rlim_cur = 4096, .rlim_max = was.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int code = atoll_write_file(path, large, sizeof large, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(code, ATOLL_EIO);
    assert_non_null(strstr(err.text, strerror(EFBIG)));
    assert_int_equal(atoll_map_open(path, &map, NULL), 0);
    assert_memory_equal(map.data, "old", 3);
    atoll_map_close(&map);
}

static void a_missing_directory_is_an_io_error(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    char lost[400];
    (void)snprintf(lost, sizeof lost, "%s/none/file", dir);
    assert_int_equal(atoll_write_file(lost, "x", 1, &err), ATOLL_EIO);
    assert_non_null(strstr(err.text, lost));
    assert_int_equal(atoll_write_file(dir, "x", 1, &err), ATOLL_EIO);
}

static void links_and_modes_stay(void **state)
{
    (void)state;
    char link_path[300];
    struct stat st;
    (void)snprintf(link_path, sizeof link_path, "%s/link", dir);
    assert_int_equal(atoll_write_file(path, "old", 3, NULL), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("file", link_path), 0);
    assert_int_equal(atoll_write_file(link_path, "new!", 4, NULL), 0);
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(unlink(link_path), 0);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(what_was_written_is_mapped),
        IN_DIR(an_empty_file_is_null_and_zero),
        IN_DIR(what_cannot_be_read_is_told_apart),
        IN_DIR(no_permission_is_an_io_error),
        IN_DIR(a_full_disk_is_named),
        IN_DIR(a_failed_write_keeps_the_old_file),
        IN_DIR(a_missing_directory_is_an_io_error),
        IN_DIR(links_and_modes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
