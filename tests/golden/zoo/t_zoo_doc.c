/* SPDX-License-Identifier: Apache-2.0 */
/* The table of docs/zoo.md says what the code builds: every network, its operators, weights and
 * biases. */
#include "atoll_test.h"

#include <atoll/zoo.h>

enum { CELL_NAME = 1, CELL_OPS = 3, CELL_WEIGHTS = 4, CELL_BIASES = 5, CELL_MACS = 6, CELLS = 9 };

static FILE *page;

/* Digits of the cell up to a '+' ("1 234 + 5" gives 1234). */
static uint64_t cell_number(const char *cell) {
    uint64_t v = 0;
    for (; *cell != '\0' && *cell != '+' && *cell != '.'; cell++) {
        if (*cell >= '0' && *cell <= '9') {
            v = v * 10 + (uint64_t)(*cell - '0');
        }
    }
    return v;
}

static size_t split_cells(char *line, char *cells[CELLS]) {
    size_t n = 0;
    for (char *p = line; p != NULL && n < CELLS; n++) {
        cells[n] = p;
        p = strchr(p, '|');
        if (p != NULL) {
            *p++ = '\0';
        }
    }
    return n;
}

static void compare(const char *name, char *cells[CELLS]) {
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_zoo_build(name, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    uint64_t weights = 0;
    uint64_t biases = 0;
    uint64_t macs = 0;
    for (uint32_t i = 0; i < m->n_ops; i++) {
        struct atoll_op_info info;
        atoll_op_info(m, i, &info);
        weights += info.weight_bytes;
        biases += info.bias_bytes / 4;
        macs += info.macs;
    }
    assert_int_equal(cell_number(cells[CELL_OPS]), m->n_ops);
    assert_int_equal(cell_number(cells[CELL_WEIGHTS]), weights);
    assert_int_equal(cell_number(cells[CELL_BIASES]), biases);
    test_close(strtod(cells[CELL_MACS], NULL), (double)macs / 1e6, 0.051);
    atoll_model_close(&m);
}

static void every_row_is_true(void **state) {
    (void)state;
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    char line[2000];
    size_t rows = 0;
    while (fgets(line, sizeof line, page) != NULL) {
        char *cells[CELLS];
        if (strncmp(line, "| `", 3) != 0 || split_cells(line, cells) != CELLS) {
            continue;
        }
        char name[64];
        assert_int_equal(sscanf(cells[CELL_NAME], " `%63[a-z0-9_]`", name), 1);
        assert_true(rows < n);
        assert_string_equal(name, list[rows].name);
        compare(name, cells);
        rows++;
    }
    assert_int_equal(rows, n);
}

int main(void) {
    const char *source = getenv("ATOLL_SOURCE");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/docs/zoo.md", source != NULL ? source : ".");
    page = fopen(path, "r");
    if (page == NULL) {
        printf("%s is missing\n", path);
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_is_true)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fclose(page);
    return failed;
}
