/* SPDX-License-Identifier: Apache-2.0 */
/* Checked values out of yaml nodes, and the sentence when one does not fit. */
#include "yaml_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_CHARS = 60 }; /* of a value in an error sentence */

int atoll_yaml_fail(const struct atoll_yaml *node, struct atoll_err *err, const char *fmt, ...)
{
    char sentence[700];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(sentence, sizeof sentence, fmt, args) < 0) {
        sentence[0] = '\0';
    }
    va_end(args);
    const bool keyed = node->key != NULL;
    return atoll_fail(err, ATOLL_EINPUT, "%s:%u: %.100s%s%s", node->doc->name, node->line,
                      keyed ? node->key : "", keyed ? ": " : "", sentence);
}

static const char *kind_name(enum atoll_yaml_kind kind)
{
    switch (kind) {
    case ATOLL_YAML_SCALAR:
        return "a value";
    case ATOLL_YAML_LIST:
        return "a list";
    case ATOLL_YAML_MAP:
        return "a map";
    }
    return "?";
}

int atoll_yaml_expect(const struct atoll_yaml *n, enum atoll_yaml_kind kind, struct atoll_err *err)
{
    if (n->kind == kind) {
        return ATOLL_OK;
    }
    return atoll_yaml_fail(n, err, "%s (expected %s)", kind_name(n->kind), kind_name(kind));
}

bool atoll_yaml_is_null(const struct atoll_yaml *n)
{
    return n->kind == ATOLL_YAML_SCALAR && !n->quoted &&
           (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

static int fail_value(const struct atoll_yaml *n, struct atoll_err *err, const char *expected)
{
    if (n->kind != ATOLL_YAML_SCALAR) {
        return atoll_yaml_fail(n, err, "%s (expected %s)", kind_name(n->kind), expected);
    }
    return atoll_yaml_fail(n, err, "%s%.*s%s (expected %s)", n->quoted ? "the text \"" : "'",
                           SHOWN_CHARS, n->text, n->quoted ? "\"" : "'", expected);
}

int atoll_yaml_double(const struct atoll_yaml *n, double low, double high, double *out,
                      struct atoll_err *err)
{
    double v = 0.0;
    if (n->kind != ATOLL_YAML_SCALAR || n->quoted || !atoll_parse_double(n->text, &v)) {
        return fail_value(n, err, "a finite number");
    }
    if (!(v >= low && v <= high)) {
        return atoll_yaml_fail(n, err, "%.*s is out of range (expected %.15g to %.15g)",
                               SHOWN_CHARS, n->text, low, high);
    }
    *out = v;
    return ATOLL_OK;
}

/* "1000" exactly, over the whole of int64_t; "1e3" and "1000.0" where a double holds them. */
static bool parse_int(const char *text, int64_t *out)
{
    double v = 0.0;
    if (!atoll_parse_double(text, &v)) {
        return false;
    }
    if (strpbrk(text, ".eE") == NULL) {
        errno = 0;
        const long long whole = strtoll(text, NULL, 10);
        *out = whole;
        return errno == 0;
    }
    if (v != floor(v) || fabs(v) > 0x1.0p53) {
        return false;
    }
    *out = (int64_t)v;
    return true;
}

int atoll_yaml_int(const struct atoll_yaml *n, int64_t low, int64_t high, int64_t *out,
                   struct atoll_err *err)
{
    int64_t v = 0;
    if (n->kind != ATOLL_YAML_SCALAR || n->quoted || !parse_int(n->text, &v)) {
        return fail_value(n, err, "a whole number");
    }
    if (v < low || v > high) {
        return atoll_yaml_fail(n, err,
                               "%.*s is out of range (expected %" PRId64 " to %" PRId64 ")",
                               SHOWN_CHARS, n->text, low, high);
    }
    *out = v;
    return ATOLL_OK;
}

int atoll_yaml_bool(const struct atoll_yaml *n, bool *out, struct atoll_err *err)
{
    const bool plain = n->kind == ATOLL_YAML_SCALAR && !n->quoted;
    if (plain && strcmp(n->text, "true") == 0) {
        *out = true;
        return ATOLL_OK;
    }
    if (plain && strcmp(n->text, "false") == 0) {
        *out = false;
        return ATOLL_OK;
    }
    return fail_value(n, err, "true or false");
}

int atoll_yaml_string(const struct atoll_yaml *n, const char **out, struct atoll_err *err)
{
    if (n->kind != ATOLL_YAML_SCALAR || atoll_yaml_is_null(n)) {
        return fail_value(n, err, "a text");
    }
    *out = n->text;
    return ATOLL_OK;
}

/* -------------------------------------------------------------------- as text */

static void flow_text(const struct atoll_yaml *n, struct atoll_buf *out)
{
    if (!n->quoted) {
        atoll_buf_puts(out, n->text ? n->text : "");
        return;
    }
    atoll_buf_puts(out, "'");
    for (const char *c = n->text; *c; c++) {
        atoll_buf_append(out, c, 1);
        if (*c == '\'') {
            atoll_buf_puts(out, "'");
        }
    }
    atoll_buf_puts(out, "'");
}

void atoll_yaml_flow(const struct atoll_yaml *n, struct atoll_buf *out)
{
    if (n->kind == ATOLL_YAML_SCALAR) {
        flow_text(n, out);
        return;
    }
    const bool map = n->kind == ATOLL_YAML_MAP;
    atoll_buf_puts(out, map ? "{" : "[");
    for (const struct atoll_yaml *c = n->first; c; c = c->next) {
        atoll_buf_puts(out, c == n->first ? "" : ", ");
        if (map) {
            atoll_buf_printf(out, "%s: ", c->key);
        }
        atoll_yaml_flow(c, out);
    }
    atoll_buf_puts(out, map ? "}" : "]");
}
