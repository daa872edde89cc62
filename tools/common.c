/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *const clock_choices[] = {"profile", "standard", "max", NULL};
const char *const runner_choices[] = {"profile", "python", "c", NULL};
const char *const compiler_choices[] = {"v16", "2019", NULL};

int source_model_open(const char *argument, struct atoll_model **m, struct atoll_err *err)
{
    int code = atoll_zoo_open(argument, NULL, m, err);
    if (code == 0 && atoll_model_is_compiled(*m)) {
        atoll_model_close(m);
        code = atoll_fail(err, ATOLL_EINPUT,
                          "%s: compiled for the Edge TPU; give the source model it was made from",
                          argument);
    }
    return code;
}

int models_open(struct models *m, const char *const *arguments, unsigned n, unsigned compiler,
                struct atoll_err *err)
{
    if (n > MODELS_MAX) {
        return atoll_fail(err, ATOLL_EUSAGE, "%u models given, at most %d", n, MODELS_MAX);
    }
    for (; m->n < n; m->n++) {
        int code = source_model_open(arguments[m->n], &m->model[m->n], err);
        if (code == 0) {
            code =
                atoll_cost_open(m->model[m->n], (enum atoll_compiler)compiler, &m->cost[m->n], err);
        }
        if (code) {
            atoll_model_close(&m->model[m->n]);
            return code;
        }
    }
    return 0;
}

void models_close(struct models *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        atoll_cost_close(&m->cost[i]);
        atoll_model_close(&m->model[i]);
    }
    m->n = 0;
}

struct atoll_use board_use(const struct board_opts *o)
{
    return (struct atoll_use){.clock = (enum atoll_clock)o->clock,
                              .runner = (enum atoll_host_runner)o->runner};
}

void model_stem(const char *path, char out[128])
{
    const char *name = strncmp(path, "zoo:", 4) == 0 ? path + 4
                       : strrchr(path, '/')          ? strrchr(path, '/') + 1
                                                     : path;
    snprintf(out, 128, "%.100s", name);
    char *end = strstr(out, ".tflite");
    if (end) {
        *end = '\0';
    }
    for (char *at = out; *at; at++) {
        *at = isalnum((unsigned char)*at) || strchr("._-", *at) ? *at : '_';
    }
}

const char *shape_text(const struct atoll_tensor *t, char buf[128])
{
    size_t at = 0;
    buf[0] = '\0';
    if (t->rank == 0) {
        snprintf(buf, 128, "scalar");
        return buf;
    }
    for (int32_t i = 0; i < t->rank && at < 112; i++) {
        at += (size_t)snprintf(buf + at, 128 - at, i ? "x%d" : "%d", t->shape[i]);
    }
    return buf;
}

int parse_numbers(const char *option, const char *text, uint32_t below, uint32_t *out, uint32_t max,
                  uint32_t *n, struct atoll_err *err)
{
    const char *at = text;
    for (*n = 0; *n < max; (*n)++) {
        uint64_t v = 0;
        const char *begin = at;
        while (*at >= '0' && *at <= '9' && v < UINT32_MAX) {
            v = v * 10 + (uint64_t)(*at++ - '0');
        }
        if (at == begin || v >= below || (*at != ',' && *at != '\0')) {
            break;
        }
        out[*n] = (uint32_t)v;
        if (*at++ == '\0') {
            ++*n;
            return 0;
        }
    }
    return atoll_fail(
        err, ATOLL_EUSAGE,
        "option %s: found \"%s\", expected up to %u numbers below %u joined by commas", option,
        text, max, below);
}
