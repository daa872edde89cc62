/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled models: the operators "edgetpu-custom-op", their FlexBuffer options, the packages in
 * them and the executables in those. Layers: docs/method-model.md. */
#include "darwinn.h"
#include "flexview.h"

#include <string.h>

#define CUSTOM_CODE "edgetpu-custom-op"
#define PACKAGE_IDENT "DWN1"
#define EXES_MAX 1024u
#define KEYS_MAX 64u
/* Keys of the FlexBuffer map. */
#define KEY_LEGACY_CACHING "3"
#define KEY_EXECUTABLE "4"
#define KEY_FURTHER "7"
/* Field ids of Package and MultiExecutable. */
enum { PACKAGE_MIN_RUNTIME, PACKAGE_MULTI, PACKAGE_SIGNATURE, PACKAGE_KEYPAIR, PACKAGE_COMPILER };

struct opener {
    const struct atoll_model *m;
    struct atoll_arena *arena;
    struct atoll_package *packages;
    size_t n, cap;
    struct atoll_err *err;
};

static bool is_edgetpu(const struct atoll_op *op)
{
    return op->custom_name != NULL && strcmp(op->custom_name, CUSTOM_CODE) == 0;
}

bool atoll_model_is_compiled(const struct atoll_model *m)
{
    for (uint32_t o = 0; o < m->n_ops; o++) {
        if (is_edgetpu(&m->ops[o])) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------- the FlexBuffer */

/* Value as JSON: numbers as they are, texts and blobs as their length, vectors of these. */
static void value_text(const struct atoll__flex *v, struct atoll_buf *text, unsigned depth)
{
    int64_t number = 0;
    const uint8_t *bytes = NULL;
    size_t n = 0;
    if (atoll__flex_int(v, &number)) {
        atoll_buf_printf(text, "%lld", (long long)number);
    } else if (atoll__flex_bytes(v, &bytes, &n)) {
        atoll_buf_printf(text, "%zu", n);
    } else if (depth == 0 && atoll__flex_kind(v) == ATOLL__FLEX_VECTOR &&
               atoll__flex_count(v, &n)) {
        atoll_buf_puts(text, "[");
        for (size_t i = 0; i < n && i < KEYS_MAX; i++) {
            struct atoll__flex element;
            atoll_buf_puts(text, i > 0 ? ", " : "");
            if (atoll__flex_at(v, i, &element)) {
                value_text(&element, text, depth + 1);
            }
        }
        atoll_buf_puts(text, "]");
    } else {
        atoll_buf_puts(text, "null");
    }
}

/* A key between quotes; what JSON would have to escape becomes '?'. */
static void key_text(const char *key, struct atoll_buf *text)
{
    atoll_buf_puts(text, "\"");
    for (size_t i = 0; key[i] != 0 && i < 100; i++) {
        const char c =
            key[i] >= ' ' && key[i] <= '~' && key[i] != '"' && key[i] != '\\' ? key[i] : '?';
        atoll_buf_append(text, &c, 1);
    }
    atoll_buf_puts(text, "\": ");
}

struct options {
    struct atoll__flex executable, caching, further;
    bool has_executable, has_caching, has_further;
    const char *keys;
};

static int fail_flex(struct opener *o, const char *what)
{
    return atoll_fail(o->err, ATOLL_EINPUT, "the options are no FlexBuffer map: %s", what);
}

static int read_options(struct opener *o, const struct atoll_op *op, struct options *out)
{
    struct atoll__flex root;
    size_t n = 0;
    if (op->custom_options == NULL ||
        !atoll__flex_root(op->custom_options, op->custom_options_bytes, &root) ||
        atoll__flex_kind(&root) != ATOLL__FLEX_MAP || !atoll__flex_count(&root, &n)) {
        return fail_flex(o, "no root");
    }
    if (n > KEYS_MAX) {
        return fail_flex(o, "too many keys");
    }
    struct atoll_buf text = {0};
    atoll_buf_puts(&text, "{");
    for (size_t i = 0; i < n; i++) {
        const char *key = NULL;
        struct atoll__flex v;
        if (!atoll__flex_key(&root, i, &key) || !atoll__flex_at(&root, i, &v)) {
            atoll_buf_finish(&text);
            return fail_flex(o, "a key or value leaves the bytes");
        }
        atoll_buf_puts(&text, i > 0 ? ", " : "");
        key_text(key, &text);
        value_text(&v, &text, 0);
        if (strcmp(key, KEY_EXECUTABLE) == 0) {
            out->executable = v;
            out->has_executable = true;
        } else if (strcmp(key, KEY_LEGACY_CACHING) == 0) {
            out->caching = v;
            out->has_caching = true;
        } else if (strcmp(key, KEY_FURTHER) == 0) {
            out->further = v;
            out->has_further = true;
        }
    }
    atoll_buf_puts(&text, "}");
    out->keys = text.failed ? NULL : atoll_arena_strndup(o->arena, text.data, text.size);
    atoll_buf_finish(&text);
    return out->keys != NULL ? 0 : atoll_fail_nomem(o->err, "the keys of a compiled operator", n);
}

/* --------------------------------------------------------------- the packages */

static int add_package(struct opener *o, const struct atoll_package *p)
{
    void *list = o->packages;
    if (atoll_grow(&list, &o->cap, o->n + 1, sizeof *p) != 0) {
        return atoll_fail_nomem(o->err, "a package", sizeof *p);
    }
    o->packages = list;
    o->packages[o->n++] = *p;
    return 0;
}

/* The executables of a MultiExecutable. */
static int read_exes(struct opener *o, const uint8_t *bytes, size_t n, struct atoll_package *p)
{
    struct atoll__fb fb;
    atoll__fb_init(&fb, bytes, n, o->err);
    const struct atoll__fb_table t = atoll__fb_root(&fb, NULL, "MultiExecutable");
    const struct atoll__fb_vec list = atoll__fb_vector(&fb, &t, 0, 4);
    if (list.n > EXES_MAX) {
        return atoll_fail(o->err, ATOLL_ELIMIT, "%u executables (expected at most %u)", list.n,
                          EXES_MAX);
    }
    struct atoll_exe *exes = atoll_arena_array(o->arena, list.n, sizeof *exes);
    if (exes == NULL) {
        return atoll_fail_nomem(o->err, "the executables", list.n * sizeof *exes);
    }
    for (uint32_t i = 0; i < list.n; i++) {
        uint32_t size = 0;
        const uint8_t *one = atoll__fb_bytes_at(&fb, &list, i, &size, "MultiExecutable");
        const int rc =
            one == NULL ? fb.code : atoll__exe_read(one, size, o->arena, &exes[i], o->err);
        if (rc != 0) {
            atoll_fail_at(o->err, "executable %u", i);
            return rc;
        }
    }
    p->exes = exes;
    p->n_exes = list.n;
    return fb.code;
}

static int read_package(struct opener *o, const uint8_t *bytes, size_t n, struct atoll_package *p)
{
    struct atoll__fb fb;
    atoll__fb_init(&fb, bytes, n, o->err);
    const struct atoll__fb_table t = atoll__fb_root(&fb, PACKAGE_IDENT, "Package");
    const char *compiler = atoll__fb_string(&fb, &t, PACKAGE_COMPILER);
    const struct atoll__fb_vec multi = atoll__fb_vector(&fb, &t, PACKAGE_MULTI, 1);
    p->min_runtime_version = atoll__fb_i32(&fb, &t, PACKAGE_MIN_RUNTIME, 0);
    p->compiler_version = compiler != NULL ? compiler : "";
    p->bytes = n;
    p->data = bytes;
    return fb.code != 0 ? fb.code : read_exes(o, multi.data, multi.n, p);
}

/* The oldest layout: one raw executable at key "4", its caching part at key "3". */
static int read_legacy(struct opener *o, const struct options *opt, const uint8_t *bytes, size_t n,
                       struct atoll_package *p)
{
    struct atoll_exe *exes = atoll_arena_array(o->arena, 2, sizeof *exes);
    if (exes == NULL) {
        return atoll_fail_nomem(o->err, "the executables", 2 * sizeof *exes);
    }
    p->legacy = true;
    p->compiler_version = "";
    p->bytes = n;
    p->data = bytes;
    p->exes = exes;
    int rc = atoll__exe_read(bytes, n, o->arena, &exes[p->n_exes++], o->err);
    const uint8_t *caching = NULL;
    size_t n_caching = 0;
    if (rc == 0 && opt->has_caching && atoll__flex_bytes(&opt->caching, &caching, &n_caching) &&
        n_caching > 0) {
        rc = atoll__exe_read(caching, n_caching, o->arena, &exes[p->n_exes++], o->err);
    }
    if (rc != 0) {
        atoll_fail_at(o->err, "legacy executable %u", p->n_exes - 1);
    }
    return rc;
}

static int open_value(struct opener *o, uint32_t op, const struct options *opt,
                      const struct atoll__flex *v)
{
    struct atoll_package p = {.op = op, .flex_keys = opt->keys};
    const uint8_t *bytes = NULL;
    size_t n = 0;
    if (!atoll__flex_bytes(v, &bytes, &n)) {
        return fail_flex(o, "a package is neither text nor blob");
    }
    const bool packed = n >= 8 && memcmp(bytes + 4, PACKAGE_IDENT, 4) == 0;
    int rc = packed ? read_package(o, bytes, n, &p) : read_legacy(o, opt, bytes, n, &p);
    if (rc != 0) {
        atoll_fail_at(o->err, "package %zu", o->n);
        return rc;
    }
    return add_package(o, &p);
}

static int open_op(struct opener *o, uint32_t op)
{
    struct options opt = {0};
    int rc = read_options(o, &o->m->ops[op], &opt);
    if (rc == 0 && !opt.has_executable) {
        rc = fail_flex(o, "no key \"" KEY_EXECUTABLE "\"");
    }
    rc = rc == 0 ? open_value(o, op, &opt, &opt.executable) : rc;
    size_t further = 0;
    if (rc == 0 && opt.has_further && atoll__flex_count(&opt.further, &further)) {
        if (further > KEYS_MAX) {
            return fail_flex(o, "too many further packages");
        }
        for (size_t i = 0; rc == 0 && i < further; i++) {
            struct atoll__flex v;
            rc = atoll__flex_at(&opt.further, i, &v)
                     ? open_value(o, op, &opt, &v)
                     : fail_flex(o, "a further package leaves the bytes");
        }
    }
    return rc;
}

int atoll_compiled_open(const struct atoll_model *m, struct atoll_compiled **compiled,
                        struct atoll_err *err)
{
    struct atoll_compiled *c = atoll_calloc(1, sizeof *c);
    struct atoll_arena *arena = atoll_calloc(1, sizeof *arena);
    struct opener o = {.m = m, .arena = arena, .err = err};
    int rc = c == NULL || arena == NULL ? atoll_fail_nomem(err, "a compiled model", sizeof *c) : 0;
    if (rc == 0) {
        atoll_arena_init(arena);
        c->arena = arena;
        arena = NULL; /* owned by c from here on */
    }
    for (uint32_t op = 0; rc == 0 && op < m->n_ops; op++) {
        if (is_edgetpu(&m->ops[op])) {
            rc = open_op(&o, op);
            if (rc != 0) {
                atoll_fail_at(err, "%s: operator %u (" CUSTOM_CODE ")", m->path, op);
            }
        }
    }
    struct atoll_package *packages =
        rc == 0 ? atoll_arena_array(c->arena, o.n, sizeof *packages) : NULL;
    if (rc == 0 && packages == NULL) {
        rc = atoll_fail_nomem(err, "the packages", o.n * sizeof *packages);
    }
    if (rc == 0) {
        if (o.n > 0) {
            memcpy(packages, o.packages, o.n * sizeof *packages);
        }
        c->packages = packages;
        c->n_packages = (uint32_t)o.n;
        *compiled = c;
    } else {
        atoll_free(arena);
        atoll_compiled_close(&c);
    }
    atoll_free(o.packages);
    return rc;
}

void atoll_compiled_close(struct atoll_compiled **c)
{
    if (c == NULL || *c == NULL) {
        return;
    }
    if ((*c)->arena != NULL) {
        atoll_arena_finish((*c)->arena);
        atoll_free((*c)->arena);
    }
    atoll_free(*c);
    *c = NULL;
}
