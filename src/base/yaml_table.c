/* SPDX-License-Identifier: Apache-2.0 */
/* A map read into a struct by a table of fields. */
#include <atoll/yaml.h>

#include <string.h>

static const struct atoll_yaml_field *find_field(const struct atoll_yaml_field *fields, size_t n,
                                                 const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].key, key) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static int fail_unknown(const struct atoll_yaml *child, const struct atoll_yaml_field *fields,
                        size_t n, struct atoll_err *err)
{
    struct atoll_buf known = {0};
    for (size_t i = 0; i < n; i++) {
        atoll_buf_printf(&known, "%s%s", i > 0 ? ", " : "", fields[i].key);
    }
    const int code = known.failed
                         ? atoll_fail_nomem(err, "an error message", 0)
                         : atoll_yaml_fail(child, err, "unknown key (known: %s)",
                                           known.data != NULL ? known.data : "none");
    atoll_buf_finish(&known);
    return code;
}

static int64_t int_bound(double v)
{
    if (v >= 0x1.0p63) {
        return INT64_MAX;
    }
    return v <= -0x1.0p63 ? INT64_MIN : (int64_t)v;
}

static int read_field(const struct atoll_yaml *child, const struct atoll_yaml_field *f, void *out,
                      struct atoll_err *err)
{
    void *at = (char *)out + f->offset;
    switch (f->type) {
    case ATOLL_YAML_DOUBLE:
        return atoll_yaml_double(child, f->low, f->high, at, err);
    case ATOLL_YAML_INT:
        return atoll_yaml_int(child, int_bound(f->low), int_bound(f->high), at, err);
    case ATOLL_YAML_BOOL:
        return atoll_yaml_bool(child, at, err);
    case ATOLL_YAML_STRING:
        return atoll_yaml_string(child, at, err);
    case ATOLL_YAML_NODE:
        memcpy(at, &child, sizeof child);
        return ATOLL_OK;
    }
    return atoll_fail(err, ATOLL_EINTERNAL, "field %s has the unknown type %d", f->key,
                      (int)f->type);
}

int atoll_yaml_read(const struct atoll_yaml *map, const struct atoll_yaml_field *fields,
                    size_t n_fields, void *out, struct atoll_err *err)
{
    int code = atoll_yaml_expect(map, ATOLL_YAML_MAP, err);
    for (const struct atoll_yaml *c = map->first; code == ATOLL_OK && c != NULL; c = c->next) {
        const struct atoll_yaml_field *field = find_field(fields, n_fields, c->key);
        code = field != NULL ? read_field(c, field, out, err)
                             : fail_unknown(c, fields, n_fields, err);
    }
    for (size_t i = 0; code == ATOLL_OK && i < n_fields; i++) {
        if (fields[i].required && atoll_yaml_get(map, fields[i].key) == NULL) {
            code = atoll_yaml_fail(map, err, "the key %s is missing", fields[i].key);
        }
    }
    return code;
}
