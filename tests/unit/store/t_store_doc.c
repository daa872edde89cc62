/* SPDX-License-Identifier: Apache-2.0 */
/* docs/store-schema.md lists the tables and columns of the code, word for word and in order.
 * ATOLL_RECORD=1 rewrites its tables. */
#include "store_rows.h"

static const char *const types[] = {"TEXT", "INTEGER", "INTEGER", "REAL", "BLOB"};

static void describe(struct atoll_buf *b)
{
    for (size_t id = 0; id < ATOLL__TABLES; id++) {
        const struct atoll__table *t = &atoll__tables[id];
        atoll_buf_printf(b,
                         "\n### %s\n\n%s\n\n| column | type | key | meaning |\n|---|---|---|---|\n",
                         t->name, t->doc);
        for (size_t i = 0; i < t->n_columns; i++) {
            const struct atoll__column *c = &t->columns[i];
            atoll_buf_printf(b, "| `%s` | %s | %s | %s%s |\n", c->name, types[c->type],
                             (c->flags & ATOLL__COLUMN_KEY) ? "yes" : "", c->doc,
                             (c->flags & ATOLL__COLUMN_LOCAL) ? " (not in the canonical dump)"
                                                              : "");
        }
    }
}

static void the_page_lists_the_columns(void **state)
{
    (void)state;
    static const char mark[] = "## Tables\n";
    char page[600];
    (void)snprintf(page, sizeof page, "%.500s/docs/store-schema.md", getenv("ATOLL_SOURCE"));
    struct atoll_err err = {0};
    struct atoll_map map = {0};
    if (atoll_map_open(page, &map, &err)) {
        fail_msg("%s", err.text);
    }
    struct atoll_buf have = {0}, want = {0};
    atoll_buf_append(&have, map.data, map.size);
    atoll_map_close(&map);
    char *tables = strstr(have.data, mark);
    assert_non_null(tables);
    tables += sizeof mark - 1;
    describe(&want);
    if (getenv("ATOLL_RECORD")) {
        *tables = '\0';
        have.size = strlen(have.data);
        atoll_buf_puts(&have, want.data);
        assert_int_equal(atoll_write_file(page, have.data, have.size, &err), 0);
    } else if (strcmp(tables, want.data) != 0) {
        fail_msg(
            "%s differs from the schema of the code; run this test with ATOLL_RECORD=1 and review",
            page);
    }
    atoll_buf_finish(&have);
    atoll_buf_finish(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_page_lists_the_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
