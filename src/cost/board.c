/* SPDX-License-Identifier: Apache-2.0 */
/* Reads board profiles (share/boards/<name>.yaml). Every quantity is a map with value, unit and
 * source. */
#include "board_internal.h"

#include <atoll/yaml.h>

#include <string.h>

/** A profile being read. */
struct reader {
    struct atoll_board *b;
    struct atoll_err *err;
};

static int keep(struct reader *r, const char *text, const char **out)
{
    *out = atoll_arena_strndup(r->b->arena, text, strlen(text));
    return *out != NULL ? 0 : atoll_fail_nomem(r->err, "text of a board profile", strlen(text));
}

/** value, u95, unit, source, date, assumed as they stand in the file. */
struct raw_quantity {
    double value, u95;
    const char *unit, *source, *date;
    bool assumed;
};

static int read_quantity(struct reader *r, const struct atoll_yaml *node,
                         const struct atoll__board_field *f, struct atoll_quantity *out)
{
    const struct atoll_yaml_field keys[] = {
        {"value", ATOLL_YAML_DOUBLE, offsetof(struct raw_quantity, value), true, f->low, f->high},
        {"u95", ATOLL_YAML_DOUBLE, offsetof(struct raw_quantity, u95), false, 0, 1e12},
        {"unit", ATOLL_YAML_STRING, offsetof(struct raw_quantity, unit), true, 0, 0},
        {"source", ATOLL_YAML_STRING, offsetof(struct raw_quantity, source), true, 0, 0},
        {"date", ATOLL_YAML_STRING, offsetof(struct raw_quantity, date), false, 0, 0},
        {"assumed", ATOLL_YAML_BOOL, offsetof(struct raw_quantity, assumed), false, 0, 0},
    };
    struct raw_quantity raw = {.date = ""};
    int rc = atoll_yaml_read(node, keys, sizeof keys / sizeof keys[0], &raw, r->err);
    if (rc != 0) {
        return rc;
    }
    if (strcmp(raw.unit, f->unit) != 0) {
        return atoll_yaml_fail(atoll_yaml_get(node, "unit"), r->err,
                               "found unit \"%s\", expected \"%s\"", raw.unit, f->unit);
    }
    struct atoll_quantity q = {
        .value = raw.value, .u95 = raw.u95, .unit = f->unit, .assumed = raw.assumed};
    rc = keep(r, raw.source, &q.source);
    rc = rc == 0 ? keep(r, raw.date, &q.date) : rc;
    if (rc == 0) {
        *out = q;
    }
    return rc;
}

/** A key of `map` that none of the fields of `section` names. */
static int refuse_unknown(struct reader *r, const struct atoll_yaml *map, const char *section,
                          const struct atoll__board_field *fields, size_t n)
{
    for (const struct atoll_yaml *child = map->first; child != NULL; child = child->next) {
        bool known = false;
        for (size_t i = 0; i < n && !known; i++) {
            const bool here = fields[i].section == NULL || strcmp(fields[i].section, section) == 0;
            known = here && strcmp(fields[i].key, child->key) == 0;
        }
        if (!known) {
            struct atoll_buf list = {0};
            for (size_t i = 0; i < n; i++) {
                if (fields[i].section == NULL || strcmp(fields[i].section, section) == 0) {
                    atoll_buf_printf(&list, "%s%s", list.size > 0 ? ", " : "", fields[i].key);
                }
            }
            const int rc = atoll_yaml_fail(child, r->err, "unknown key (known in %s: %s)", section,
                                           list.data != NULL ? list.data : "");
            atoll_buf_finish(&list);
            return rc;
        }
    }
    return 0;
}

/** Reads the quantities of one section into `base` (the board or a drive). */
static int read_section(struct reader *r, const struct atoll_yaml *map, const char *section,
                        const struct atoll__board_field *fields, size_t n, void *base)
{
    int rc = atoll_yaml_expect(map, ATOLL_YAML_MAP, r->err);
    rc = rc == 0 ? refuse_unknown(r, map, section, fields, n) : rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (fields[i].section != NULL && strcmp(fields[i].section, section) != 0) {
            continue;
        }
        const struct atoll_yaml *node = atoll_yaml_get(map, fields[i].key);
        if (node == NULL) {
            return atoll_yaml_fail(map, r->err, "%s is missing", fields[i].key);
        }
        rc = read_quantity(r, node, &fields[i],
                           (struct atoll_quantity *)(void *)((char *)base + fields[i].offset));
    }
    return rc;
}

static int refuse_choice(struct reader *r, const struct atoll_yaml *node, const char *text,
                         const char *const *names)
{
    struct atoll_buf list = {0};
    for (int i = 0; names[i] != NULL; i++) {
        atoll_buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const int rc = atoll_yaml_fail(node, r->err, "found \"%s\", expected one of %s", text,
                                   list.data != NULL ? list.data : "");
    atoll_buf_finish(&list);
    return rc;
}

static int read_choice(struct reader *r, const struct atoll_yaml *node, const char *const *names,
                       int *out)
{
    const char *text = NULL;
    const int rc = atoll_yaml_string(node, &text, r->err);
    if (rc != 0) {
        return rc;
    }
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return 0;
        }
    }
    return refuse_choice(r, node, text, names);
}

static int read_drives(struct reader *r, const struct atoll_yaml *map)
{
    size_t n;
    const struct atoll__board_field *f = atoll__board_drive_fields(&n);
    int rc = atoll_yaml_expect(map, ATOLL_YAML_MAP, r->err);
    const struct atoll_yaml *child = rc == 0 ? map->first : NULL;
    for (; child != NULL && rc == 0; child = child->next) {
        if (strcmp(child->key, "python") != 0 && strcmp(child->key, "c") != 0) {
            rc = atoll_yaml_fail(child, r->err, "unknown runner (known: python, c)");
        }
    }
    for (int runner = 0; runner < 2 && rc == 0; runner++) {
        const char *name = atoll__board_runners[runner + 1];
        const struct atoll_yaml *one = atoll_yaml_get(map, name);
        if (one == NULL) {
            return atoll_yaml_fail(map, r->err, "runner %s is missing", name);
        }
        rc = atoll_yaml_expect(one, ATOLL_YAML_MAP, r->err);
        if (rc == 0 && one->count != 2) {
            rc = atoll_yaml_fail(
                one, r->err, "found %zu ways to drive, expected called and threaded", one->count);
        }
        for (int d = 0; d < 2 && rc == 0; d++) {
            const struct atoll_yaml *drive = atoll_yaml_get(one, atoll__board_drives[d]);
            rc =
                drive == NULL
                    ? atoll_yaml_fail(one, r->err, "%s is missing", atoll__board_drives[d])
                    : read_section(r, drive, atoll__board_drives[d], f, n, &r->b->drive[runner][d]);
        }
    }
    return rc;
}

struct raw_rail {
    const char *name;
    double volt, share_frac;
};

static int read_rails(struct reader *r, const struct atoll_yaml *list)
{
    static const struct atoll_yaml_field keys[] = {
        {"name", ATOLL_YAML_STRING, offsetof(struct raw_rail, name), true, 0, 0},
        {"volt", ATOLL_YAML_DOUBLE, offsetof(struct raw_rail, volt), true, 0.1, 1000},
        {"share_frac", ATOLL_YAML_DOUBLE, offsetof(struct raw_rail, share_frac), true, 0, 1},
    };
    int rc = atoll_yaml_expect(list, ATOLL_YAML_LIST, r->err);
    double sum = 0.0;
    for (const struct atoll_yaml *n = rc == 0 ? list->first : NULL; n != NULL && rc == 0;
         n = n->next) {
        if (r->b->n_rails == ATOLL_RAILS_MAX) {
            return atoll_yaml_fail(n, r->err, "more than %d rails", ATOLL_RAILS_MAX);
        }
        struct raw_rail raw = {0};
        rc = atoll_yaml_read(n, keys, sizeof keys / sizeof keys[0], &raw, r->err);
        if (rc == 0) {
            struct atoll_rail *rail = &r->b->rails[r->b->n_rails++];
            rail->volt = raw.volt;
            rail->share_frac = raw.share_frac;
            sum += raw.share_frac;
            rc = keep(r, raw.name, &rail->name);
        }
    }
    if (rc == 0 && (sum < 0.999 || sum > 1.001)) {
        rc = atoll_yaml_fail(list, r->err, "shares of the rails sum to %g, expected 1", sum);
    }
    return rc;
}

static int read_trips(struct reader *r, const struct atoll_yaml *list)
{
    int rc = atoll_yaml_expect(list, ATOLL_YAML_LIST, r->err);
    if (rc != 0) {
        return rc;
    }
    if (list->count != 3) {
        return atoll_yaml_fail(list, r->err, "found %zu trip points, expected 3", list->count);
    }
    int i = 0;
    for (const struct atoll_yaml *n = list->first; n != NULL && rc == 0; n = n->next, i++) {
        rc = atoll_yaml_double(n, 0, 150, &r->b->trip_c[i], r->err);
        if (rc == 0 && i > 0 && r->b->trip_c[i] <= r->b->trip_c[i - 1]) {
            rc = atoll_yaml_fail(n, r->err,
                                 "found %g, expected more than %g (the driver falls back to "
                                 "its defaults otherwise)",
                                 r->b->trip_c[i], r->b->trip_c[i - 1]);
        }
    }
    return rc;
}

/** The head of a profile and its sections, as nodes. */
struct raw_board {
    const char *name, *title;
    int64_t tpus, host_threads;
    bool throttles;
    const struct atoll_yaml *link, *clock, *runner, *trip_c, *rails, *drive;
    const struct atoll_yaml *section[5]; ///< in the order of atoll__board_sections
};

static int read_head(struct reader *r, const struct atoll_yaml *root, struct raw_board *raw)
{
#define NODE(key, member)                                                                          \
    {                                                                                              \
        key, ATOLL_YAML_NODE, offsetof(struct raw_board, member), true, 0, 0                       \
    }
    static const struct atoll_yaml_field keys[] = {
        {"name", ATOLL_YAML_STRING, offsetof(struct raw_board, name), true, 0, 0},
        {"title", ATOLL_YAML_STRING, offsetof(struct raw_board, title), true, 0, 0},
        {"tpus", ATOLL_YAML_INT, offsetof(struct raw_board, tpus), true, 1, ATOLL_TPUS_MAX},
        {"host_threads", ATOLL_YAML_INT, offsetof(struct raw_board, host_threads), true, 1, 1024},
        {"throttles", ATOLL_YAML_BOOL, offsetof(struct raw_board, throttles), true, 0, 0},
        NODE("link", link),
        NODE("clock", clock),
        NODE("runner", runner),
        NODE("trip_c", trip_c),
        NODE("rails", rails),
        NODE("drive", drive),
        NODE("clocks", section[0]),
        NODE("link_cost", section[1]),
        NODE("heat", section[2]),
        NODE("power", section[3]),
        NODE("spread", section[4]),
    };
#undef NODE
    return atoll_yaml_read(root, keys, sizeof keys / sizeof keys[0], raw, r->err);
}

static int read_board(struct reader *r, const struct atoll_yaml *root)
{
    struct raw_board raw = {0};
    struct atoll_board *b = r->b;
    int link = 0;
    int clock = 0;
    int runner = 0;
    int rc = read_head(r, root, &raw);
    rc = rc == 0 ? keep(r, raw.name, &b->name) : rc;
    rc = rc == 0 ? keep(r, raw.title, &b->title) : rc;
    rc = rc == 0 ? read_choice(r, raw.link, atoll__board_links, &link) : rc;
    rc = rc == 0 ? read_choice(r, raw.clock, atoll__board_clocks, &clock) : rc;
    rc = rc == 0 ? read_choice(r, raw.runner, atoll__board_runners, &runner) : rc;
    if (rc == 0 && clock == 0) {
        rc = atoll_yaml_fail(raw.clock, r->err, "found \"default\", expected standard or max");
    }
    if (rc == 0 && runner == 0) {
        rc = atoll_yaml_fail(raw.runner, r->err, "found \"default\", expected python or c");
    }
    rc = rc == 0 ? read_trips(r, raw.trip_c) : rc;
    rc = rc == 0 ? read_rails(r, raw.rails) : rc;
    rc = rc == 0 ? read_drives(r, raw.drive) : rc;
    size_t n;
    const struct atoll__board_field *f = atoll__board_fields(&n);
    for (int i = 0; i < 5 && rc == 0; i++) {
        rc = read_section(r, raw.section[i], atoll__board_sections[i], f, n, b);
    }
    if (rc == 0) {
        b->n_tpus = (uint32_t)raw.tpus;
        b->host_threads = (uint32_t)raw.host_threads;
        b->throttles = raw.throttles;
        b->link = (enum atoll_link)link;
        b->clock = (enum atoll_clock)clock;
        b->runner = (enum atoll_host_runner)runner;
    }
    return rc;
}

static int load(const char *path, struct atoll_board **board, struct atoll_err *err)
{
    struct atoll_map map = {0};
    struct atoll_yaml_doc *doc = NULL;
    int rc = atoll_map_open(path, &map, err);
    if (rc != 0) {
        return rc;
    }
    struct atoll_board *b = atoll_calloc(1, sizeof *b);
    struct atoll_arena *arena = atoll_calloc(1, sizeof *arena);
    if (b == NULL || arena == NULL) {
        atoll_free(b);
        atoll_free(arena);
        atoll_map_close(&map);
        return atoll_fail_nomem(err, "board profile", sizeof *b);
    }
    b->arena = arena;
    b->text = atoll_arena_strndup(arena, map.data != NULL ? (const char *)map.data : "", map.size);
    b->path = atoll_arena_strndup(arena, path, strlen(path));
    struct reader r = {.b = b, .err = err};
    if (b->text == NULL || b->path == NULL) {
        rc = atoll_fail_nomem(err, "board profile", map.size);
    }
    rc = rc == 0 ? atoll_yaml_parse(path, map.data, map.size, &doc, err) : rc;
    rc = rc == 0 ? read_board(&r, atoll_yaml_root(doc)) : rc;
    atoll_yaml_close(&doc);
    atoll_map_close(&map);
    if (rc != 0) {
        atoll_board_close(&b);
        return rc;
    }
    *board = b;
    return 0;
}

static int unknown_board(const char *name, const char *share, struct atoll_err *err)
{
    char **names = atoll_board_names(share);
    struct atoll_buf list = {0};
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        atoll_buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const int rc =
        atoll_fail(err, ATOLL_ENOTFOUND, "board \"%s\" is not known (known: %s; or give a file)",
                   name, list.data != NULL ? list.data : "none found");
    atoll_buf_finish(&list);
    atoll_share_dirs_free(names);
    return rc;
}

int atoll_board_open(const char *name_or_path, const char *share, struct atoll_board **board,
                     struct atoll_err *err)
{
    const size_t n = strlen(name_or_path);
    const bool is_path =
        strchr(name_or_path, '/') != NULL || (n > 5 && strcmp(name_or_path + n - 5, ".yaml") == 0);
    if (is_path) {
        return load(name_or_path, board, err);
    }
    struct atoll_buf relative = {0};
    atoll_buf_printf(&relative, "boards/%s.yaml", name_or_path);
    char *path = NULL;
    int rc = relative.failed ? atoll_fail_nomem(err, "path of a board profile", n)
                             : atoll_share_find(share, relative.data, &path, err);
    atoll_buf_finish(&relative);
    if (rc == ATOLL_ENOTFOUND) {
        return unknown_board(name_or_path, share, err);
    }
    rc = rc == 0 ? load(path, board, err) : rc;
    atoll_free(path);
    return rc;
}

void atoll_board_close(struct atoll_board **board)
{
    if (board == NULL || *board == NULL) {
        return;
    }
    if ((*board)->arena != NULL) {
        atoll_arena_finish((*board)->arena);
        atoll_free((*board)->arena);
    }
    atoll_free(*board);
    *board = NULL;
}
