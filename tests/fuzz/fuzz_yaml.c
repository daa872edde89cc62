/* SPDX-License-Identifier: Apache-2.0 */
/* The yaml reader on any bytes: what it accepts keeps the limits that yaml.h promises, and a
 * failing allocation gives ATOLL_ENOMEM or the same answer as before. */
#include "fuzz.h"

#include <atoll/yaml.h>

#include <math.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_NODES = 200000 };

static void check_scalar(const struct atoll_yaml *n)
{
    FUZZ_CHECK(n->text != NULL && n->first == NULL && n->count == 0);
    double real = 0.0;
    int64_t whole = 0;
    bool truth = false;
    const char *text = NULL;
    if (atoll_yaml_double(n, -1e300, 1e300, &real, NULL) == ATOLL_OK) {
        FUZZ_CHECK(isfinite(real) && !n->quoted);
    }
    if (atoll_yaml_int(n, -1000, 1000, &whole, NULL) == ATOLL_OK) {
        FUZZ_CHECK(whole >= -1000 && whole <= 1000);
    }
    (void)atoll_yaml_bool(n, &truth, NULL);
    FUZZ_CHECK((atoll_yaml_string(n, &text, NULL) == ATOLL_OK) != atoll_yaml_is_null(n));
}

static size_t check_tree(const struct atoll_yaml *n, size_t depth)
{
    FUZZ_CHECK(n->line >= 1);
    if (n->kind == ATOLL_YAML_SCALAR) {
        check_scalar(n);
        return 1;
    }
    FUZZ_CHECK(depth < MAX_DEPTH && n->text == NULL);
    size_t nodes = 1, children = 0;
    for (const struct atoll_yaml *c = n->first; c != NULL; c = c->next) {
        FUZZ_CHECK((c->key != NULL) == (n->kind == ATOLL_YAML_MAP));
        /* no key twice: a look-up finds this very node (only for maps that are quick to search) */
        FUZZ_CHECK(c->key == NULL || children > 200 || atoll_yaml_get(n, c->key) == c);
        nodes += check_tree(c, depth + 1);
        children++;
    }
    FUZZ_CHECK(children == n->count);
    return nodes;
}

static void read_as_table(const struct atoll_yaml *root)
{
    struct {
        double watts;
        const char *name;
    } out = {0};
    const struct atoll_yaml_field fields[] = {
        {"watts", ATOLL_YAML_DOUBLE, 0, true, 0.0, 100.0},
        {"name", ATOLL_YAML_STRING, (size_t)((char *)&out.name - (char *)&out), false, 0.0, 0.0},
    };
    struct atoll_err err = {0};
    const int code = atoll_yaml_read(root, fields, 2, &out, &err);
    FUZZ_CHECK(code == ATOLL_OK || err.text[0] != '\0');
}

static void repeat_with_failure(const uint8_t *data, size_t size, int first_code)
{
    struct atoll_yaml_doc *doc = NULL;
    atoll_alloc_fail_after(1 + atoll_fnv1a(data, size, 0) % 12);
    const int code = atoll_yaml_parse("fuzz.yaml", data, size, &doc, NULL);
    atoll_alloc_fail_after(0);
    FUZZ_CHECK(code == first_code || code == ATOLL_ENOMEM);
    FUZZ_CHECK((code == ATOLL_OK) == (doc != NULL));
    atoll_yaml_close(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct atoll_yaml_doc *doc = NULL;
    struct atoll_err err = {0};
    const int code = atoll_yaml_parse("fuzz.yaml", data, size, &doc, &err);
    if (code == ATOLL_OK) {
        FUZZ_CHECK(check_tree(atoll_yaml_root(doc), 0) <= MAX_NODES);
        read_as_table(atoll_yaml_root(doc));
    } else {
        FUZZ_CHECK(doc == NULL && err.code == code);
        FUZZ_CHECK(strncmp(err.text, "fuzz.yaml:", 10) == 0);
    }
    atoll_yaml_close(&doc);
    repeat_with_failure(data, size, code);
    return 0;
}
