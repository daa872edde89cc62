/* SPDX-License-Identifier: Apache-2.0 */
/* atoll's conventions on top of jansson. */
#include <atoll/json.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { JSON_MAX_BYTES = 256 << 20, JSON_MAX_DEPTH = 64 };

json_t *atoll_json_answer(const char *command)
{
    json_t *answer = json_object();
    json_t *schema = json_sprintf("atoll.%s/1", command);
    /* json_object_set_new accepts NULL as an error and takes `schema` over in any case */
    if (json_object_set_new(answer, "schema", schema) != 0 ||
        json_object_set_new(answer, "version", json_string(ATOLL_VERSION)) != 0) {
        json_decref(answer);
        return NULL;
    }
    return answer;
}

json_t *atoll_json_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *atoll_json_hex64(uint64_t v)
{
    char text[17];
    (void)snprintf(text, sizeof text, "%016" PRIx64, v);
    return json_string(text);
}

int atoll_json_set_number(json_t *object, const char *key, double v)
{
    return json_object_set_new(object, key, atoll_json_number(v)) == 0 ? ATOLL_OK : ATOLL_ENOMEM;
}

/* Brackets outside strings, counted before jansson builds anything. */
static int check_depth(const char *path, const struct atoll_map *map, struct atoll_err *err)
{
    size_t depth = 0, line = 1;
    bool in_string = false;
    for (size_t i = 0; i < map->size; i++) {
        const uint8_t c = map->data[i];
        line += c == '\n';
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_MAX_DEPTH) {
                return atoll_fail(err, ATOLL_ELIMIT, "%s:%zu: nested deeper than %d levels", path,
                                  line, JSON_MAX_DEPTH);
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return ATOLL_OK;
}

static int parse(const char *path, const struct atoll_map *map, json_t **out, struct atoll_err *err)
{
    if (map->size == 0) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: is empty (expected JSON)", path);
    }
    if (map->size > JSON_MAX_BYTES) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: %zu bytes (a JSON file may have %d)", path,
                          map->size, JSON_MAX_BYTES);
    }
    const int code = check_depth(path, map, err);
    if (code != ATOLL_OK) {
        return code;
    }
    json_error_t error = {0};
    /* Inside a string jansson calls a lack of memory an invalid token; errno knows better. */
    errno = 0;
    json_t *j = json_loadb((const char *)map->data, map->size, JSON_REJECT_DUPLICATES, &error);
    if (j == NULL && errno == ENOMEM) {
        return atoll_fail_nomem(err, path, map->size);
    }
    if (j == NULL) {
        return atoll_fail(err, ATOLL_EINPUT, "%s:%d: column %d: %s", path, error.line, error.column,
                          error.text);
    }
    *out = j;
    return ATOLL_OK;
}

int atoll_json_open(const char *path, json_t **out, struct atoll_err *err)
{
    struct atoll_map map = {0};
    int code = atoll_map_open(path, &map, err);
    if (code == ATOLL_OK) {
        code = parse(path, &map, out, err);
    }
    atoll_map_close(&map);
    return code;
}

static void put_string(struct atoll_buf *b, const char *s, size_t n)
{
    atoll_buf_puts(b, "\"");
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        atoll_buf_append(b, s + start, i - start);
        if (c == '"' || c == '\\') {
            atoll_buf_printf(b, "\\%c", c);
        } else {
            atoll_buf_printf(b, "\\u%04x", c);
        }
        start = i + 1;
    }
    atoll_buf_append(b, s + start, n - start);
    atoll_buf_puts(b, "\"");
}

/* A real stays a real when read again: it gets a point or an exponent. */
static void put_real(struct atoll_buf *b, double v)
{
    char text[40];
    atoll_format_double(text, v);
    atoll_buf_puts(b, text);
    if (strpbrk(text, ".e") == NULL) {
        atoll_buf_puts(b, ".0");
    }
}

static void put_line(struct atoll_buf *b, bool first, int depth)
{
    atoll_buf_printf(b, "%s\n%*s", first ? "" : ",", 2 * depth, "");
}

static void put_value(struct atoll_buf *b, const json_t *j, int depth);

static void put_array(struct atoll_buf *b, const json_t *j, int depth)
{
    atoll_buf_puts(b, "[");
    const size_t n = json_array_size(j);
    for (size_t i = 0; i < n; i++) {
        put_line(b, i == 0, depth + 1);
        put_value(b, json_array_get(j, i), depth + 1);
    }
    if (n > 0) {
        put_line(b, true, depth);
    }
    atoll_buf_puts(b, "]");
}

static void put_object(struct atoll_buf *b, json_t *j, int depth)
{
    atoll_buf_puts(b, "{");
    bool first = true;
    for (void *it = json_object_iter(j); it != NULL; it = json_object_iter_next(j, it)) {
        const char *key = json_object_iter_key(it);
        put_line(b, first, depth + 1);
        put_string(b, key, strlen(key));
        atoll_buf_puts(b, ": ");
        put_value(b, json_object_iter_value(it), depth + 1);
        first = false;
    }
    if (!first) {
        put_line(b, true, depth);
    }
    atoll_buf_puts(b, "}");
}

static void put_value(struct atoll_buf *b, const json_t *j, int depth)
{
    if (j == NULL || depth > JSON_MAX_DEPTH) {
        b->failed = true;
    }
    if (b->failed) {
        return;
    }
    switch (json_typeof(j)) {
    case JSON_OBJECT: {
        /* jansson iterates over non-const objects only; nothing is changed */
        union {
            const json_t *given;
            json_t *object;
        } cast = {.given = j};
        put_object(b, cast.object, depth);
        break;
    }
    case JSON_ARRAY:
        put_array(b, j, depth);
        break;
    case JSON_STRING:
        put_string(b, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        atoll_buf_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        put_real(b, json_real_value(j));
        break;
    case JSON_TRUE:
        atoll_buf_puts(b, "true");
        break;
    case JSON_FALSE:
        atoll_buf_puts(b, "false");
        break;
    case JSON_NULL:
        atoll_buf_puts(b, "null");
        break;
    }
}

char *atoll_json_text(const json_t *j, size_t *size)
{
    struct atoll_buf b = {0};
    put_value(&b, j, 0);
    atoll_buf_puts(&b, "\n");
    return atoll_buf_take(&b, size);
}
