/* SPDX-License-Identifier: Apache-2.0 */
/* "key=value&key=value": the parameters of a network. */
#include "zoo_internal.h"

#include <string.h>

/* One integer key: where it goes and what it may be. */
struct int_key {
    const char *name;
    size_t offset;
    int32_t min, max;
};
static const struct int_key int_keys[] = {
    {"size", offsetof(struct atoll__zoo_args, size), 1, 4096},
    {"classes", offsetof(struct atoll__zoo_args, classes), 0, 100000},
    {"layers", offsetof(struct atoll__zoo_args, layers), 1, 1000},
    {"filters", offsetof(struct atoll__zoo_args, filters), 1, 16384},
    {"kernel", offsetof(struct atoll__zoo_args, kernel), 1, 31},
    {"units", offsetof(struct atoll__zoo_args, units), 1, 65536},
    {"inputs", offsetof(struct atoll__zoo_args, inputs), 1, 65536},
};

/* A stretch of text, not terminated. */
struct slice {
    const char *p;
    size_t n;
};

static bool slice_is(struct slice s, const char *word) {
    return strlen(word) == s.n && memcmp(word, s.p, s.n) == 0;
}

static bool parse_u64(struct slice s, uint64_t *out) {
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || !atoll_mul_u64(v, 10, &v) ||
            !atoll_add_u64(v, (uint64_t)(s.p[i] - '0'), &v)) {
            return false;
        }
    }
    *out = v;
    return s.n > 0;
}

static bool parse_decimal(struct slice s, double *out) {
    char text[64] = "";
    if (s.n >= sizeof text) {
        return false;
    }
    memcpy(text, s.p, s.n);
    return atoll_parse_double(text, out);
}

static int set_int(const struct int_key *k, struct slice value, struct atoll__zoo_args *args,
                   struct atoll_err *err) {
    uint64_t v = 0;
    if (!parse_u64(value, &v) || v < (uint64_t)k->min || v > (uint64_t)k->max) {
        return atoll_fail(err, ATOLL_EINPUT, "%s=%.*s: expected a whole number from %d to %d",
                          k->name, (int)value.n, value.p, (int)k->min, (int)k->max);
    }
    const int32_t narrow = (int32_t)v;
    memcpy((char *)args + k->offset, &narrow, sizeof narrow);
    return 0;
}

static int set_value(struct slice key, struct slice value, struct atoll__zoo_args *args,
                     struct atoll_err *err) {
    for (size_t i = 0; i < sizeof int_keys / sizeof int_keys[0]; i++) {
        if (slice_is(key, int_keys[i].name)) {
            return set_int(&int_keys[i], value, args, err);
        }
    }
    if (slice_is(key, "alpha")) {
        if (!parse_decimal(value, &args->alpha) || args->alpha < 0.05 || args->alpha > 4.0) {
            return atoll_fail(err, ATOLL_EINPUT, "alpha=%.*s: expected a number from 0.05 to 4",
                              (int)value.n, value.p);
        }
        return 0;
    }
    if (slice_is(key, "bias")) {
        if (!slice_is(value, "seeded") && !slice_is(value, "zero")) {
            return atoll_fail(err, ATOLL_EINPUT, "bias=%.*s: expected seeded or zero", (int)value.n,
                              value.p);
        }
        args->zero_bias = slice_is(value, "zero");
        return 0;
    }
    if (!parse_u64(value, &args->seed)) { /* the one key left is seed */
        return atoll_fail(err, ATOLL_EINPUT, "seed=%.*s: expected a whole number", (int)value.n,
                          value.p);
    }
    return 0;
}

/* Index of the key among the network's parameters, or its count when it has none of that name. */
static size_t find_param(const struct atoll_zoo_network *network, struct slice key) {
    size_t i = 0;
    while (i < network->n_params && !slice_is(key, network->params[i].name)) {
        i++;
    }
    return i;
}

static int unknown_key(const struct atoll_zoo_network *network, struct slice key,
                       struct atoll_err *err) {
    char known[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < network->n_params && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 network->params[i].name);
    }
    return atoll_fail(err, ATOLL_EINPUT, "unknown key \"%.*s\": %s takes %s",
                      (int)(key.n < 60 ? key.n : 60), key.p, network->name, known);
}

/* No classes at all makes sense only where that is the default (a chain without a head). */
static int check_classes(const struct atoll_zoo_network *network,
                         const struct atoll__zoo_args *args, struct atoll_err *err) {
    const size_t i = find_param(network, (struct slice){"classes", 7});
    if (args->classes == 0 && i < network->n_params &&
        strcmp(network->params[i].default_value, "0") != 0) {
        return atoll_fail(err, ATOLL_EINPUT, "classes=0: %s needs at least one", network->name);
    }
    return 0;
}

int atoll__zoo_parse(const struct atoll_zoo_network *network, const char *query,
                     struct atoll__zoo_args *args, struct atoll_err *err) {
    *args = (struct atoll__zoo_args){.alpha = 1.0};
    for (size_t i = 0; i < network->n_params; i++) {
        const struct atoll_zoo_param *p = &network->params[i];
        const struct slice key = {p->name, strlen(p->name)};
        const struct slice value = {p->default_value, strlen(p->default_value)};
        const int code = set_value(key, value, args, err);
        if (code != 0) {
            return code;
        }
    }
    uint32_t seen = 0; /* one bit a parameter */
    while (*query != '\0') {
        const size_t n = strcspn(query, "&");
        const char *equals = memchr(query, '=', n);
        if (equals == NULL) {
            return atoll_fail(err, ATOLL_EINPUT, "\"%.*s\": expected key=value",
                              (int)(n < 60 ? n : 60), query);
        }
        const struct slice key = {query, (size_t)(equals - query)};
        const struct slice value = {equals + 1, n - key.n - 1};
        const size_t i = find_param(network, key);
        if (i == network->n_params) {
            return unknown_key(network, key, err);
        }
        if ((seen >> i & 1u) != 0) {
            return atoll_fail(err, ATOLL_EINPUT, "key \"%s\" is given twice",
                              network->params[i].name);
        }
        seen |= 1u << i;
        if (value.n > 60) {
            return atoll_fail(err, ATOLL_EINPUT, "value of \"%s\" is too long",
                              network->params[i].name);
        }
        const int code = set_value(key, value, args, err);
        if (code != 0) {
            return code;
        }
        query += n + (query[n] == '&' ? 1u : 0u);
    }
    return check_classes(network, args, err);
}

int32_t atoll__zoo_round8(double v) {
    int32_t r = (int32_t)(v + 4.0) / 8 * 8;
    if (r < 8) {
        r = 8;
    }
    return r < 0.9 * v ? r + 8 : r;
}

/* Levenshtein distance of name[n] and `other`, both cut at 63 bytes. */
static size_t edit_distance(const char *name, size_t n, const char *other) {
    size_t row[64];
    size_t m = strlen(other);
    m = m > 63 ? 63 : m;
    n = n > 63 ? 63 : n;
    for (size_t j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (name[i - 1] == other[j - 1] ? 0u : 1u);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
        }
    }
    return row[m];
}

const char *atoll__zoo_nearest(const char *name, size_t n) {
    size_t count = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&count);
    const char *best = list[0].name;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const size_t d = edit_distance(name, n, list[i].name);
        if (d < best_distance) {
            best_distance = d;
            best = list[i].name;
        }
    }
    return best;
}
