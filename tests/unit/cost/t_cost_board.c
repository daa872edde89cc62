/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"
#include "alloc_fail.h"

#define NAMES 8
static const char *const names[NAMES] = {"asus_crl_g18u", "dev_board", "dev_board_micro",
                                         "pcie_x86",      "usb2_pi3",  "usb2_x86",
                                         "usb3_pi4",      "usb3_x86"};

static void the_promised_profiles_exist(void **state)
{
    (void)state;
    char **found = atoll_board_names(NULL);
    assert_non_null(found);
    for (int i = 0; i < NAMES; i++) {
        struct atoll_board *b = open_board(names[i]);
        assert_string_equal(b->name, names[i]);
        assert_true(b->stream_us_per_mib.value > 0 && b->n_rails > 0);
        bool listed = false;
        for (size_t j = 0; found[j] != NULL; j++) {
            listed |= strcmp(found[j], names[i]) == 0;
        }
        assert_true(listed);
        atoll_board_close(&b);
    }
    atoll_share_dirs_free(found);
    struct atoll_board *b = open_board("asus_crl_g18u");
    assert_int_equal(b->n_tpus, 8);
    assert_int_equal(b->link, ATOLL_LINK_PCIE);
    assert_string_equal(atoll_link_name(b->link), "pcie");
    atoll_board_close(&b);
}

static int parse(const char *text, struct atoll_board **b, struct atoll_err *err)
{
    char dir[256];
    char path[300];
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/b.yaml", dir);
    assert_int_equal(atoll_write_file(path, text, strlen(text), err), 0);
    const int rc = atoll_board_open(path, NULL, b, err);
    (void)unlink(path);
    (void)rmdir(dir);
    return rc;
}

static void the_text_of_a_profile_reads_back_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < NAMES; i++) {
        struct atoll_board *b = open_board(names[i]);
        struct atoll_board *again = NULL;
        struct atoll_err err = {0};
        char *text = atoll_board_text(b);
        assert_string_equal(text, b->text); /* profiles are kept in canonical form */
        assert_int_equal(parse(text, &again, &err), 0);
        char *twice = atoll_board_text(again);
        assert_string_equal(text, twice);
        atoll_free(text);
        atoll_free(twice);
        atoll_board_close(&b);
        atoll_board_close(&again);
    }
}

/** The profile of usb3_x86 with one piece of text replaced must be refused with a sentence. */
static void refused(const char *from, const char *to, const char *expect)
{
    struct atoll_board *b = open_board("usb3_x86");
    struct atoll_board *bad = NULL;
    struct atoll_err err = {0};
    const char *at = strstr(b->text, from);
    assert_non_null(at);
    struct atoll_buf text = {0};
    atoll_buf_append(&text, b->text, (size_t)(at - b->text));
    atoll_buf_puts(&text, to);
    atoll_buf_puts(&text, at + strlen(from));
    const int rc = parse(text.data, &bad, &err);
    if (rc != ATOLL_EINPUT || strstr(err.text, expect) == NULL ||
        strstr(err.text, ".yaml:") == NULL) {
        fail_msg("\"%s\" gave %s: %s", to, atoll_code_name(rc), err.text);
    }
    atoll_buf_finish(&text);
    atoll_board_close(&b);
}

static void wrong_profiles_are_refused_by_place(void **state)
{
    (void)state;
    refused("unit: \"Hz\"", "unit: \"MHz\"", "expected \"Hz\"");
    refused("clock_max_hz", "clock_maximum_hz", "unknown key");
    refused("tpus: 1", "tpus: 0", "tpus");
    refused("link: usb3", "link: usb4", "expected one of");
    refused("[85, 90, 95]", "[85, 80, 95]", "expected more than");
    refused("share_frac: 1}", "share_frac: 0.5}", "sum to");
    refused("value: 5e+08", "value: -5", "value: -5 is out of range");
    refused("  python:", "  java:", "runner");
    refused("name: usb3_x86", "name: usb3_x86\ncolour: red", "colour");
}

static void unknown_names_list_the_known(void **state)
{
    (void)state;
    struct atoll_board *b = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_board_open("no_such_board", NULL, &b, &err), ATOLL_ENOTFOUND);
    assert_non_null(strstr(err.text, "asus_crl_g18u"));
    assert_null(b);
}

static int open_one(void *user)
{
    struct atoll_err err = {0};
    struct atoll_board *b = NULL;
    const int rc = atoll_board_open(user, NULL, &b, &err);
    atoll_board_close(&b);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/boards/usb3_x86.yaml", getenv("ATOLL_SHARE"));
    alloc_fail_check(open_one, path);
}

static void use_chooses_clock_and_runner(void **state)
{
    (void)state;
    struct atoll_board *b = open_board("asus_crl_g18u");
    assert_true(atoll_board_clock_hz(b, NULL) == 5e8);
    assert_true(atoll_board_clock_hz(b, &(struct atoll_use){.clock = ATOLL_CLOCK_STANDARD}) ==
                2.5e8);
    assert_ptr_equal(atoll_board_drive(b, NULL, ATOLL_DRIVE_CALLED), &b->drive[0][0]);
    assert_ptr_equal(
        atoll_board_drive(b, &(struct atoll_use){.runner = ATOLL_RUNNER_C}, ATOLL_DRIVE_THREADED),
        &b->drive[1][1]);
    atoll_board_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_promised_profiles_exist),
        cmocka_unit_test(the_text_of_a_profile_reads_back_the_same),
        cmocka_unit_test(wrong_profiles_are_refused_by_place),
        cmocka_unit_test(unknown_names_list_the_known),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(use_chooses_clock_and_runner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
