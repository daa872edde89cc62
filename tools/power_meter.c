/* SPDX-License-Identifier: Apache-2.0 */
#include "power_meter.h"

#include <string.h>

int power_open(struct call *call, const char *spec, double rate_hz, bool keep,
               const char *calibration, struct atoll_meter **m)
{
    const struct atoll_meter_opts o = {
        .rate_hz = rate_hz, .keep_scans = keep, .calibration = calibration};
    *m = NULL;
    const int code = atoll_meter_open(spec, &o, m, &call->err);
    if (code == 0 && *m == NULL) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "meter 'none' measures nothing");
    }
    return code;
}

int power_energy(struct call *call, struct atoll_meter *m, int32_t from, int32_t to,
                 struct power_view *v)
{
    *v = (struct power_view){0};
    const int code = atoll_meter_energy(m, from, to, v->rails, &v->total, &call->err);
    v->gap = code == ATOLL_ENO;
    return v->gap ? 0 : code;
}

static json_t *rails_json(const struct atoll_meter_info *info, const struct power_view *v)
{
    json_t *rails = json_array();
    for (uint32_t i = 0; i < info->n_rails; i++) {
        json_t *r = json_object();
        json_object_set_new(r, "name", out_string(info->rails[i].name));
        atoll_json_set_number(r, "volt", info->rails[i].volt);
        atoll_json_set_number(r, "energy_mj", v->rails[i].energy_mj);
        atoll_json_set_number(r, "energy_u95_mj", v->rails[i].u95_mj);
        atoll_json_set_number(r, "mean_w", v->rails[i].mean_w);
        json_array_append_new(rails, r);
    }
    return rails;
}

static json_t *budget_json(const struct atoll_energy *e)
{
    json_t *b = json_object();
    atoll_json_set_number(b, "gain_mj", e->u_gain_mj);
    atoll_json_set_number(b, "zero_mj", e->u_zero_mj);
    atoll_json_set_number(b, "drift_mj", e->u_drift_mj);
    atoll_json_set_number(b, "noise_mj", e->u_noise_mj);
    atoll_json_set_number(b, "time_mj", e->u_time_mj);
    atoll_json_set_number(b, "volt_mj", e->u_volt_mj);
    atoll_json_set_number(b, "coverage_k", e->coverage_k);
    return b;
}

static double since_s(uint64_t t_ns, uint64_t from_ns)
{
    return (double)(int64_t)(t_ns - from_ns) / 1e9;
}

static int markers_json(struct call *call, struct atoll_meter *m, uint64_t from_ns, json_t *j)
{
    json_t *list = json_array();
    int code = 0;
    for (int32_t i = 0; code == 0 && i < atoll_meter_markers(m); i++) {
        uint64_t t_ns = 0;
        const char *label = NULL;
        json_t *k = json_object();
        code = atoll_meter_marker(m, i, &t_ns, &label, &call->err);
        if (code == 0) {
            json_object_set_new(k, "label", out_string(label));
            atoll_json_set_number(k, "t_s", since_s(t_ns, from_ns));
        }
        json_array_append_new(list, k);
    }
    json_object_set_new(j, "markers", list);
    return code;
}

int power_json(struct call *call, struct atoll_meter *m, const struct power_view *v,
               uint64_t from_ns, json_t *j)
{
    struct atoll_meter_info info;
    const struct atoll_meter_gap *gaps = NULL;
    size_t n = 0;
    atoll_meter_info(m, &info);
    const int code = atoll_meter_gaps(m, &gaps, &n, &call->err);
    if (code) {
        return code;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *g = json_object();
        atoll_json_set_number(g, "from_s", since_s(gaps[i].from_ns, from_ns));
        atoll_json_set_number(g, "to_s", since_s(gaps[i].to_ns, from_ns));
        json_object_set_new(g, "scans", json_integer((json_int_t)gaps[i].scans));
        json_object_set_new(g, "cause", json_string(gaps[i].cause));
        json_array_append_new(list, g);
    }
    double ppm = 0;
    double u_ns = 0;
    atoll_meter_clock(m, &ppm, &u_ns);
    json_object_set_new(j, "origin", json_string(atoll_origin_name(info.origin)));
    json_object_set_new(j, "meter", out_string(info.description));
    atoll_json_set_number(j, "rate_hz", info.rate_hz);
    atoll_json_set_number(j, "seconds", v->total.seconds);
    atoll_json_set_number(j, "energy_mj", v->total.energy_mj);
    atoll_json_set_number(j, "energy_u95_mj", v->total.u95_mj);
    atoll_json_set_number(j, "mean_w", v->total.mean_w);
    json_object_set_new(j, "scans", json_integer((json_int_t)v->total.scans));
    json_object_set_new(j, "lost_scans", json_integer((json_int_t)v->total.lost_scans));
    json_object_set_new(j, "uncertainty", budget_json(&v->total));
    json_object_set_new(j, "rails", rails_json(&info, v));
    json_object_set_new(j, "gaps", list);
    const int marked = markers_json(call, m, from_ns, j);
    atoll_json_set_number(j, "clock_ppm", ppm);
    atoll_json_set_number(j, "clock_u_us", u_ns / 1e3);
    return marked;
}

int power_show(struct call *call, struct atoll_meter *m, const struct power_view *v)
{
    static const struct out_column columns[] = {{"rail", OUT_LEFT},
                                                {"volt", OUT_RIGHT},
                                                {"energy J", OUT_RIGHT},
                                                {"+/- (95 %)", OUT_RIGHT},
                                                {"mean W", OUT_RIGHT}};
    struct atoll_meter_info info;
    struct out_table t;
    const struct atoll_energy *e = &v->total;
    double ppm = 0;
    double u_ns = 0;
    atoll_meter_info(m, &info);
    atoll_meter_clock(m, &ppm, &u_ns);
    out_text("%s (%s), %.0f scans/s\n\n", info.description, atoll_origin_name(info.origin),
             info.rate_hz);
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i <= info.n_rails; i++) {
        const bool sum = i == info.n_rails;
        const struct atoll_energy *row = sum ? e : &v->rails[i];
        out_cell(&t, "%s", sum ? "all" : info.rails[i].name);
        if (sum) {
            out_cell(&t, "%s", "");
        } else {
            out_cell_number(&t, "%.2f", info.rails[i].volt);
        }
        out_cell_number(&t, "%.4f", row->energy_mj / 1e3);
        out_cell_number(&t, "%.2g", row->u95_mj / 1e3);
        out_cell_number(&t, "%.4f", row->mean_w);
    }
    const int code = out_table_print(&t, &call->err);
    out_text("\n%.6f s, %llu scans, %llu of them missing; the meter's clock is %+.0f ppm off\n"
             "standard uncertainty, J: gain %.2g, zero %.2g, drift %.2g, noise %.2g, time %.2g, "
             "nominal voltage %.2g; k %.2f\n",
             e->seconds, (unsigned long long)e->scans, (unsigned long long)e->lost_scans, ppm,
             e->u_gain_mj / 1e3, e->u_zero_mj / 1e3, e->u_drift_mj / 1e3, e->u_noise_mj / 1e3,
             e->u_time_mj / 1e3, e->u_volt_mj / 1e3, e->coverage_k);
    return code;
}
