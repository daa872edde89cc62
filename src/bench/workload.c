/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads as text: "latency", "saturated", "rate=30", "poisson=12.5", "cold", "rates". */
#include <atoll/bench.h>

#include <string.h>

static const struct {
    const char *name;
    enum atoll_workload_mode mode;
    bool has_hz;
} modes[] = {
    {"latency", ATOLL_WORK_LATENCY, false},
    {"saturated", ATOLL_WORK_SATURATED, false},
    {"rate", ATOLL_WORK_RATE, true},
    {"poisson", ATOLL_WORK_POISSON, true},
    {"cold", ATOLL_WORK_COLD, false},
    {"rates", ATOLL_WORK_RATES, false},
    {"rates_poisson", ATOLL_WORK_RATES_POISSON, false},
};

const char *atoll_workload_name(const struct atoll_workload *w, char buf[48])
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (modes[i].mode == w->mode) {
            char hz[40] = "";
            if (modes[i].has_hz) {
                atoll_format_double(hz, w->hz);
            }
            (void)snprintf(buf, 48, "%s%s%.30s", modes[i].name, hz[0] ? "=" : "", hz);
        }
    }
    return buf;
}

int atoll_workload_parse(const char *text, struct atoll_workload *w, struct atoll_err *err)
{
    const char *equals = strchr(text, '=');
    const size_t n = equals ? (size_t)(equals - text) : strlen(text);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strlen(modes[i].name) != n || strncmp(modes[i].name, text, n) != 0) {
            continue;
        }
        if (modes[i].has_hz != (equals != NULL)) {
            return atoll_fail(err, ATOLL_EUSAGE, "workload \"%.60s\": %s", text,
                              equals ? "this mode takes no rate"
                                     : "this mode needs a rate, such as rate=30");
        }
        if (equals) {
            double hz = 0;
            if (!atoll_parse_double(equals + 1, &hz) || !(hz > 0 && hz <= 1e6)) {
                return atoll_fail(
                    err, ATOLL_EUSAGE,
                    "workload \"%.60s\": a rate in Hz above 0, at most 1000000, expected", text);
            }
            w->hz = hz;
        }
        w->mode = modes[i].mode;
        return 0;
    }
    return atoll_fail(
        err, ATOLL_EUSAGE,
        "unknown workload \"%.60s\" (latency, saturated, rate=HZ, poisson=HZ, cold, rates and "
        "rates_poisson are known)",
        text);
}
