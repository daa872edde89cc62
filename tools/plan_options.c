/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_options.h"

#include <string.h>

const char *const latency_choices[] = {"default", "mean", "worst", NULL};

/* Numbers joined by commas. */
static int read_reals(const char *option, const char *text, double low, double high, double *out,
                      uint32_t max, uint32_t *n, struct atoll_err *err)
{
    char part[32];
    const char *at = text;
    for (*n = 0; *n < max;) {
        const size_t length = strcspn(at, ",");
        double v = 0;
        (void)snprintf(part, sizeof part, "%.*s", length < sizeof part ? (int)length : 0, at);
        if (!atoll_parse_double(part, &v) || !(v >= low) || v > high) {
            break;
        }
        out[(*n)++] = v;
        if (at[length] == '\0') {
            return 0;
        }
        at += length + 1;
    }
    return atoll_fail(err, ATOLL_EUSAGE,
                      "option %s: found \"%.80s\", expected up to %u numbers from %g to %g joined "
                      "by commas",
                      option, text, max, low, high);
}

static int read_rates(const struct plan_limits_opts *o, struct plan_limits *l,
                      struct atoll_plan_request *r, struct atoll_err *err)
{
    uint32_t n = 0;
    int code = 0;
    if (o->rates) {
        code = read_reals("--rates", o->rates, 1e-6, 1e6, l->rates_hz, MODELS_MAX, &n, err);
        if (code == 0 && n != r->n_models) {
            code = atoll_fail(err, ATOLL_EUSAGE, "--rates names %u rates, %u models given", n,
                              r->n_models);
        }
        r->rates_hz = l->rates_hz;
    }
    if (code == 0 && o->deadlines) {
        code = read_reals("--deadline-ms", o->deadlines, 1e-3, 3.6e6, l->deadlines_us, MODELS_MAX,
                          &n, err);
        if (code == 0 && n != 1 && n != r->n_models) {
            code = atoll_fail(err, ATOLL_EUSAGE,
                              "--deadline-ms names %u deadlines, %u models given", n, r->n_models);
        }
        for (uint32_t i = 0; i < r->n_models; i++) {
            l->deadlines_us[i] = (n == 1 && i > 0) ? l->deadlines_us[0] : l->deadlines_us[i] * 1e3;
        }
        r->deadlines_us = l->deadlines_us;
    }
    return code;
}

static int read_objectives(const char *text, struct atoll_plan_request *r, struct atoll_err *err)
{
    const char *at = text ? text : "latency";
    for (uint32_t n = 0; n < 3; n++) {
        const size_t length = strcspn(at, ",");
        unsigned o = 0;
        while (o < 3 && (strlen(atoll_objective_name((enum atoll_objective)o)) != length ||
                         strncmp(at, atoll_objective_name((enum atoll_objective)o), length) != 0)) {
            o++;
        }
        bool again = n > 0 && o == (unsigned)r->objective;
        for (uint32_t i = 0; i + 1 < n; i++) {
            again = again || o == (unsigned)r->then[i];
        }
        if (o == 3 || again) {
            break;
        }
        if (n == 0) {
            r->objective = (enum atoll_objective)o;
        } else {
            r->then[r->n_then++] = (enum atoll_objective)o;
        }
        if (at[length] == '\0') {
            return 0;
        }
        at += length + 1;
    }
    return atoll_fail(
        err, ATOLL_EUSAGE,
        "option --objective: found \"%.80s\", expected latency, throughput or energy, "
        "or several of them once each, joined by commas",
        text);
}

static int read_without(const char *text, struct atoll_plan_request *r, struct atoll_err *err)
{
    uint32_t tpus[ATOLL_TPUS_MAX], n = 0;
    const int code =
        parse_numbers("--without", text, r->board->n_tpus, tpus, ATOLL_TPUS_MAX, &n, err);
    for (uint32_t i = 0; code == 0 && i < n; i++) {
        r->without |= UINT64_C(1) << tpus[i];
    }
    return code;
}

/* A number up to `end`; false when there is none, or something else. */
static bool read_number(const char **at, char end, uint32_t *out)
{
    uint64_t v = 0;
    const char *begin = *at;
    while (**at >= '0' && **at <= '9' && v < ATOLL_OPS_MAX) {
        v = v * 10 + (uint64_t)(*(*at)++ - '0');
    }
    const bool good = *at > begin && v < ATOLL_OPS_MAX && **at == end;
    *at += good && end != '\0';
    *out = (uint32_t)v;
    return good;
}

static int read_together(const char *text, struct atoll_together *t, struct atoll_err *err)
{
    const char *at = text;
    *t = (struct atoll_together){.model = 0};
    bool good = true;
    if (strchr(text, ':')) {
        good = read_number(&at, ':', &t->model) && t->model > 0;
        t->model -= good;
    }
    good = good && read_number(&at, '-', &t->first) && read_number(&at, '\0', &t->last);
    return good ? 0
                : atoll_fail(err, ATOLL_EUSAGE,
                             "option --together: found \"%.80s\", expected operators I-J, or M:I-J "
                             "with the number of the model",
                             text);
}

int plan_limits_read(const struct plan_limits_opts *o, struct plan_limits *l,
                     struct atoll_plan_request *r, struct atoll_err *err)
{
    int code = read_objectives(o->objective, r, err);
    code = code ? code : read_rates(o, l, r, err);
    code = code || !o->without ? code : read_without(o->without, r, err);
    for (size_t i = 0; i < o->together.n && code == 0; i++) {
        code = read_together(o->together.items[i], &l->together[i], err);
    }
    r->together = l->together;
    r->n_together = (uint32_t)o->together.n;
    r->tolerance_frac = o->tolerance_percent / 100;
    r->max_w = o->max_w;
    r->min_rate_hz = o->min_rate_hz;
    r->resident = o->resident;
    r->compile_alone = o->compile_alone;
    r->by_worst = o->latency == 2;
    if (o->utilisation_percent > 0) {
        r->utilisation_max_frac = o->utilisation_percent / 100;
    }
    return code;
}

bool plan_limits_given(const struct plan_limits_opts *o, const struct atoll_plan_request *r)
{
    return r->n_then > 0 || o->rates || o->deadlines || o->max_w > 0 || o->min_rate_hz > 0 ||
           o->resident || o->compile_alone || o->together.n > 0;
}
