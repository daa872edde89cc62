/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded tree from libyaml's events. The stack of open lists and maps is an array of 64 frames,
 * so nothing recurses; keys go into one hash set for the whole document, so that duplicates are
 * found in constant time however large the map. */
#include "yaml_internal.h"

#include <string.h>

#include <yaml.h>

enum { YAML_MAX_DEPTH = 64, YAML_MAX_NODES = 200000, YAML_MAX_BYTES = 4 << 20 };

struct frame {
    struct atoll_yaml *node; /* an open list or map */
    struct atoll_yaml *last; /* its last child */
    const char *key;         /* map: key whose value comes next */
    unsigned key_line;
};

struct key_set {
    const struct atoll_yaml **slots; /* children of maps */
    const struct atoll_yaml **maps;  /* the map of each */
    size_t size, count;              /* size: a power of two, or 0 */
};

struct builder {
    struct atoll_yaml_doc *doc;
    struct atoll_err *err;
    struct frame stack[YAML_MAX_DEPTH];
    size_t depth, nodes;
    struct key_set keys;
    unsigned line; /* of the event at hand */
};

static int fail_line(const struct builder *b, int code, const char *sentence)
{
    return atoll_fail(b->err, code, "%s:%u: %s", b->doc->name, b->line, sentence);
}

/* ---------------------------------------------------------------- key set */

static size_t find_slot(const struct key_set *k, const struct atoll_yaml *map, const char *key)
{
    const uint64_t hash = atoll_fnv1a(key, strlen(key), (uint64_t)(uintptr_t)map);
    size_t i = (size_t)(hash ^ (hash >> 32)) & (k->size - 1);
    while (k->slots[i] != NULL && (k->maps[i] != map || strcmp(k->slots[i]->key, key) != 0)) {
        i = (i + 1) & (k->size - 1);
    }
    return i;
}

static void finish_keys(struct key_set *k)
{
    atoll_free(k->slots);
    atoll_free(k->maps);
    *k = (struct key_set){0};
}

static int grow_keys(struct key_set *k)
{
    struct key_set wider = {.size = k->size > 0 ? k->size * 2 : 64, .count = k->count};
    wider.slots = atoll_calloc(wider.size, sizeof *wider.slots);
    wider.maps = atoll_calloc(wider.size, sizeof *wider.maps);
    if (wider.slots == NULL || wider.maps == NULL) {
        finish_keys(&wider);
        return ATOLL_ENOMEM;
    }
    for (size_t i = 0; i < k->size; i++) {
        if (k->slots[i] != NULL) {
            const size_t slot = find_slot(&wider, k->maps[i], k->slots[i]->key);
            wider.slots[slot] = k->slots[i];
            wider.maps[slot] = k->maps[i];
        }
    }
    finish_keys(k);
    *k = wider;
    return ATOLL_OK;
}

static int add_key(struct builder *b, const struct atoll_yaml *map, const struct atoll_yaml *child)
{
    if (b->keys.count * 2 >= b->keys.size && grow_keys(&b->keys) != ATOLL_OK) {
        return atoll_fail_nomem(b->err, "the keys of a yaml file", b->keys.size * 2);
    }
    const size_t slot = find_slot(&b->keys, map, child->key);
    const struct atoll_yaml *earlier = b->keys.slots[slot];
    if (earlier != NULL) {
        return atoll_yaml_fail(child, b->err, "the key stands twice in one map (first in line %u)",
                               earlier->line);
    }
    b->keys.slots[slot] = child;
    b->keys.maps[slot] = map;
    b->keys.count++;
    return ATOLL_OK;
}

/* ------------------------------------------------------------------ nodes */

/* Adds a node below the innermost open list or map, or as the root. */
static int add_node(struct builder *b, enum atoll_yaml_kind kind, struct atoll_yaml **out)
{
    if (++b->nodes > YAML_MAX_NODES) {
        return fail_line(b, ATOLL_ELIMIT, "more than 200000 nodes");
    }
    struct atoll_yaml *node = atoll_arena_alloc(&b->doc->arena, sizeof *node);
    if (node == NULL) {
        return atoll_fail_nomem(b->err, "a yaml node", sizeof *node);
    }
    *node = (struct atoll_yaml){.kind = kind, .line = b->line, .doc = b->doc};
    *out = node;
    if (b->depth == 0) {
        b->doc->root = node;
        return ATOLL_OK;
    }
    struct frame *top = &b->stack[b->depth - 1];
    node->key = top->key;
    top->key = NULL;
    if (top->last != NULL) {
        top->last->next = node;
    } else {
        top->node->first = node;
    }
    top->last = node;
    top->node->count++;
    if (node->key == NULL) {
        return ATOLL_OK;
    }
    node->line = top->key_line; /* a value's own mark may be lines below its key */
    return add_key(b, top->node, node);
}

static bool wants_key(const struct builder *b)
{
    return b->depth > 0 && b->stack[b->depth - 1].node->kind == ATOLL_YAML_MAP &&
           b->stack[b->depth - 1].key == NULL;
}

static int on_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    const size_t n = event->data.scalar.length;
    if (memchr(value, '\0', n) != NULL) {
        return fail_line(b, ATOLL_EINPUT, "a NUL character in a text");
    }
    char *text = atoll_arena_strndup(&b->doc->arena, value, n);
    if (text == NULL) {
        return atoll_fail_nomem(b->err, "a yaml text", n);
    }
    if (wants_key(b)) {
        b->stack[b->depth - 1].key = text;
        b->stack[b->depth - 1].key_line = b->line;
        return ATOLL_OK;
    }
    struct atoll_yaml *node = NULL;
    const int code = add_node(b, ATOLL_YAML_SCALAR, &node);
    if (code == ATOLL_OK) {
        node->text = text;
        node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    }
    return code;
}

static int on_open(struct builder *b, enum atoll_yaml_kind kind)
{
    if (wants_key(b)) {
        return fail_line(b, ATOLL_EINPUT, "a list or map as a key (expected a name)");
    }
    if (b->depth >= YAML_MAX_DEPTH) {
        return fail_line(b, ATOLL_ELIMIT, "nested deeper than 64 levels");
    }
    struct atoll_yaml *node = NULL;
    const int code = add_node(b, kind, &node);
    if (code == ATOLL_OK) {
        b->stack[b->depth++] = (struct frame){.node = node};
    }
    return code;
}

/* ----------------------------------------------------------------- events */

static bool has_tag(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.tag != NULL;
    default:
        return false;
    }
}

static bool has_anchor(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL;
    default:
        return false;
    }
}

static int on_event(struct builder *b, const yaml_event_t *event)
{
    b->line = (unsigned)event->start_mark.line + 1;
    if (has_tag(event)) {
        return fail_line(b, ATOLL_EINPUT, "tags (!...) are not accepted");
    }
    if (has_anchor(event)) {
        return fail_line(b, ATOLL_EINPUT, "anchors and aliases (&, *) are not accepted");
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, ATOLL_YAML_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, ATOLL_YAML_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return ATOLL_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (b->doc->root != NULL) {
            return fail_line(b, ATOLL_EINPUT, "a second document (expected one)");
        }
        return ATOLL_OK;
    default:
        return ATOLL_OK;
    }
}

static int fail_syntax(struct builder *b, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return atoll_fail_nomem(b->err, b->doc->name, 0);
    }
    b->line = (unsigned)parser->problem_mark.line + 1;
    return fail_line(b, ATOLL_EINPUT, parser->problem != NULL ? parser->problem : "not yaml");
}

static int read_events(struct builder *b, yaml_parser_t *parser)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return fail_syntax(b, parser);
        }
        const bool end = event.type == YAML_STREAM_END_EVENT || event.type == YAML_NO_EVENT;
        const int code = on_event(b, &event);
        yaml_event_delete(&event);
        if (code != ATOLL_OK) {
            return code;
        }
        if (end) {
            break;
        }
    }
    if (b->doc->root == NULL) {
        return atoll_fail(b->err, ATOLL_EINPUT, "%s: is empty (expected yaml)", b->doc->name);
    }
    return ATOLL_OK;
}

static int build(struct atoll_yaml_doc *doc, const void *bytes, size_t n, struct atoll_err *err)
{
    struct builder b = {.doc = doc, .err = err};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return atoll_fail_nomem(err, "a yaml parser", sizeof parser);
    }
    yaml_parser_set_input_string(&parser, bytes, n);
    const int code = read_events(&b, &parser);
    yaml_parser_delete(&parser);
    finish_keys(&b.keys);
    return code;
}

/* ----------------------------------------------------------------- public */

int atoll_yaml_parse(const char *name, const void *bytes, size_t n, struct atoll_yaml_doc **doc,
                     struct atoll_err *err)
{
    if (n > YAML_MAX_BYTES) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: %zu bytes (a yaml file may have %d)", name, n,
                          YAML_MAX_BYTES);
    }
    struct atoll_yaml_doc *d = atoll_calloc(1, sizeof *d);
    if (d == NULL) {
        return atoll_fail_nomem(err, "a yaml document", sizeof *d);
    }
    int code = ATOLL_OK;
    d->name = atoll_arena_strndup(&d->arena, name, strlen(name));
    if (d->name == NULL) {
        code = atoll_fail_nomem(err, "a file name", strlen(name));
    } else {
        code = build(d, n > 0 ? bytes : "", n, err);
    }
    if (code != ATOLL_OK) {
        atoll_yaml_close(&d);
        return code;
    }
    *doc = d;
    return ATOLL_OK;
}

int atoll_yaml_open(const char *path, struct atoll_yaml_doc **doc, struct atoll_err *err)
{
    struct atoll_map map = {0};
    int code = atoll_map_open(path, &map, err);
    if (code == ATOLL_OK) {
        code = atoll_yaml_parse(path, map.data, map.size, doc, err);
    }
    atoll_map_close(&map);
    return code;
}

void atoll_yaml_close(struct atoll_yaml_doc **doc)
{
    if (*doc != NULL) {
        atoll_arena_finish(&(*doc)->arena);
        atoll_free(*doc);
        *doc = NULL;
    }
}

const struct atoll_yaml *atoll_yaml_root(const struct atoll_yaml_doc *doc)
{
    return doc->root;
}

const char *atoll_yaml_name(const struct atoll_yaml_doc *doc)
{
    return doc->name;
}

const struct atoll_yaml *atoll_yaml_get(const struct atoll_yaml *map, const char *key)
{
    const struct atoll_yaml *child =
        map != NULL && map->kind == ATOLL_YAML_MAP ? map->first : NULL;
    while (child != NULL && strcmp(child->key, key) != 0) {
        child = child->next;
    }
    return child;
}
