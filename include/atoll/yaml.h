/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file yaml.h
 * Room `base`: configuration files (boards, experiments, recipes, zoo descriptions). A bounded tree
 * on libyaml's events: aliases, tags, more than 64 levels, 200 000 nodes or 4 MiB are refused, so
 * are duplicate keys and anything after the first document. Every error names file, line and key.
 */
#ifndef ATOLL_YAML_H
#define ATOLL_YAML_H

#include <atoll/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum atoll_yaml_kind { ATOLL_YAML_SCALAR, ATOLL_YAML_LIST, ATOLL_YAML_MAP };

/** One node; lives in its document. */
struct atoll_yaml {
    enum atoll_yaml_kind kind;
    unsigned line;                  ///< 1-based line in the file
    const char *key;                ///< key under which it stands in its map; NULL elsewhere
    const char *text;               ///< scalar: its text; else NULL
    bool quoted;                    ///< scalar: was quoted (so a string, not a number or null)
    const struct atoll_yaml *first; ///< list, map: first child or NULL
    const struct atoll_yaml *next;  ///< next sibling or NULL
    size_t count;                   ///< list, map: number of children
    const struct atoll_yaml_doc *doc;
};
struct atoll_yaml_doc; ///< owns the nodes

/** Reads a file. `name` in errors is the path. Free with atoll_yaml_close. */
ATOLL_API int atoll_yaml_open(const char *path, struct atoll_yaml_doc **doc, struct atoll_err *err);
ATOLL_API int atoll_yaml_parse(const char *name, const void *bytes, size_t n,
                               struct atoll_yaml_doc **doc, struct atoll_err *err);
ATOLL_API void atoll_yaml_close(struct atoll_yaml_doc **doc);
ATOLL_API const struct atoll_yaml *atoll_yaml_root(const struct atoll_yaml_doc *doc);
/** The file name given at open. */
ATOLL_API const char *atoll_yaml_name(const struct atoll_yaml_doc *doc);
/** Child of a map by key, or NULL. */
ATOLL_API const struct atoll_yaml *atoll_yaml_get(const struct atoll_yaml *map, const char *key);
/** ATOLL_EINPUT "file:line: key: sentence" about a node. */
ATOLL_API int atoll_yaml_fail(const struct atoll_yaml *node, struct atoll_err *err, const char *fmt,
                              ...) ATOLL_PRINTF(3, 4);

/** Scalars, checked: finite, in [low, high]; integers without fraction; booleans true/false. */
ATOLL_API int atoll_yaml_double(const struct atoll_yaml *n, double low, double high, double *out,
                                struct atoll_err *err);
ATOLL_API int atoll_yaml_int(const struct atoll_yaml *n, int64_t low, int64_t high, int64_t *out,
                             struct atoll_err *err);
ATOLL_API int atoll_yaml_bool(const struct atoll_yaml *n, bool *out, struct atoll_err *err);
/** The text is borrowed from the document; null is no text. */
ATOLL_API int atoll_yaml_string(const struct atoll_yaml *n, const char **out,
                                struct atoll_err *err);
ATOLL_API bool atoll_yaml_is_null(const struct atoll_yaml *n); ///< unquoted null, ~ or empty
/** Appends the node as one line of flow yaml, "{set: cifar10:../c, mean: [1, 2, 3]}": a name for
 * it. */
ATOLL_API void atoll_yaml_flow(const struct atoll_yaml *n, struct atoll_buf *out);
ATOLL_API int atoll_yaml_expect(const struct atoll_yaml *n, enum atoll_yaml_kind kind,
                                struct atoll_err *err);

/** Table-driven reading of a map into a struct. */
enum atoll_yaml_type {
    ATOLL_YAML_DOUBLE, ///< double
    ATOLL_YAML_INT,    ///< int64_t
    ATOLL_YAML_BOOL,   ///< bool
    ATOLL_YAML_STRING, ///< const char *, borrowed from the document
    ATOLL_YAML_NODE,   ///< const struct atoll_yaml *, for the caller to read on
};
struct atoll_yaml_field {
    const char *key;
    enum atoll_yaml_type type;
    size_t offset;    ///< offsetof the destination
    bool required;    ///< missing is an error; else the destination keeps its value
    double low, high; ///< range of DOUBLE and INT
};
/** Reads `map` by `fields`; a key that no field names is ATOLL_EINPUT and the known keys are
 * listed. */
ATOLL_API int atoll_yaml_read(const struct atoll_yaml *map, const struct atoll_yaml_field *fields,
                              size_t n_fields, void *out, struct atoll_err *err);

#ifdef __cplusplus
}
#endif
#endif
