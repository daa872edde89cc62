/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power by state, heat, throttling, rails.
 *
 * A TPU's power is that of its state (board profile) plus leakage above 25 degC. What lies above
 * idle while computing, and the energy of arithmetic, follow the clock. Heat: one thermal
 * resistance to ambient and one time constant per TPU, stepped on a grid of tau/128 with the mean
 * power of the step. The clock divider follows the trip points at the gasket driver's poll.
 */
#include "sim_internal.h"

#define LEAK_FROM_C 25.0

static double clock_frac(const struct sim_tpu *t)
{
    return 1.0 / (double)(1u << t->divider);
}

static double state_mw(const struct atoll_board *b, const struct sim_tpu *t)
{
    switch (t->state) {
    case ATOLL_STATE_IDLE:
        return b->idle_mw.value;
    case ATOLL_STATE_TRANSFER:
    case ATOLL_STATE_LOAD:
        return b->transfer_mw.value;
    case ATOLL_STATE_STREAM:
        return b->stream_mw.value;
    case ATOLL_STATE_COMPUTE:
        return b->idle_mw.value +
               (b->compute_mw.value - b->idle_mw.value + t->dynamic_mw) * clock_frac(t);
    case ATOLL_STATES:
        break;
    }
    return 0;
}

static void settle(struct sim *s, struct sim_tpu *t)
{
    const double pj = t->power_mw * (double)(s->now_ns - t->power_since_ns);
    t->energy_pj[t->state] += pj;
    t->state_ns[t->state] += s->now_ns - t->power_since_ns;
    t->tick_pj += pj;
    t->power_since_ns = s->now_ns;
}

static void refresh(struct sim *s, struct sim_tpu *t)
{
    settle(s, t);
    t->power_mw = state_mw(s->board, t) + t->leak_mw;
    s->rails_dirty = true;
}

void atoll__sim_state(struct sim *s, uint32_t tpu, enum atoll_power_state state, double dynamic_mw)
{
    struct sim_tpu *t = &s->tpus[tpu];
    if (state == t->state && !(dynamic_mw < t->dynamic_mw || dynamic_mw > t->dynamic_mw)) {
        return;
    }
    settle(s, t); /* what was belongs to the state that ends */
    if (state != t->state && s->state_fn != NULL) {
        s->state_fn(s->state_user, s->now_ns, tpu, state);
    }
    t->state = state;
    t->dynamic_mw = dynamic_mw;
    refresh(s, t);
}

void atoll__sim_rails(struct sim *s)
{
    if (!s->rails_dirty || s->sink == NULL) {
        return;
    }
    double total_mw = s->board->board_mw.value;
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        total_mw += s->tpus[i].power_mw;
    }
    double rail_mw[ATOLL_RAILS_MAX] = {total_mw};
    const uint32_t n = s->board->n_rails;
    for (uint32_t r = 0; r < n; r++) {
        rail_mw[r] = total_mw * s->board->rails[r].share_frac;
    }
    s->rails_dirty = false;
    s->sink(s->sink_user, s->now_ns, rail_mw, n > 0 ? n : 1);
}

static void set_leak(const struct sim *s, struct sim_tpu *t)
{
    const double above_c = t->temperature_c - LEAK_FROM_C;
    t->leak_mw = above_c > 0 ? above_c * s->board->leak_mw_per_c.value : 0;
}

/* Temperature at which heating by idle power and leakage balances. */
static double idle_temperature_c(const struct atoll_board *b)
{
    const double r = b->thermal_c_per_w.value / 1e3; /* per mW */
    const double plain_c = b->ambient_c.value + r * b->idle_mw.value;
    if (plain_c <= LEAK_FROM_C) {
        return plain_c;
    }
    const double gain = r * b->leak_mw_per_c.value;
    return (plain_c - gain * LEAK_FROM_C) / (1 - gain);
}

int atoll__sim_heat_init(struct sim *s, struct atoll_err *err)
{
    const struct atoll_board *b = s->board;
    if (b->thermal_c_per_w.value / 1e3 * b->leak_mw_per_c.value >= 0.9) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: thermal_c_per_w %g and leak_mw_per_c %g let a TPU heat itself "
                          "without end (expected a product below 900)",
                          b->path != NULL ? b->path : b->name, b->thermal_c_per_w.value,
                          b->leak_mw_per_c.value);
    }
    const double tick_ns = b->thermal_tau_s.value * 1e9 / 128;
    s->tick_ns = tick_ns < 1e6 ? 1000000 : tick_ns > 1e9 ? 1000000000 : (uint64_t)tick_ns;
    s->next_tick_ns = s->tick_ns;
    s->next_poll_ns = SIM_POLL_NS;
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        struct sim_tpu *t = &s->tpus[i];
        t->temperature_c = idle_temperature_c(b);
        set_leak(s, t);
        refresh(s, t);
    }
    return 0;
}

static void set_divider(struct sim *s, uint32_t tpu, uint32_t divider)
{
    struct sim_tpu *t = &s->tpus[tpu];
    if (divider == t->divider) {
        return;
    }
    if (t->phase == PHASE_LAYER && t->work_ns != SIM_NEVER) {
        const double left_ns = (double)(t->work_ns - s->now_ns);
        const double was = (double)(1u << t->divider);
        t->work_ns = sim_after(s->now_ns, left_ns * (double)(1u << divider) / was);
        atoll__sim_reschedule(s, tpu);
    }
    t->divider = divider;
    t->throttled = t->throttled || divider > 0;
    refresh(s, t);
}

static void poll_trip_points(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        uint32_t divider = 0;
        while (divider < 3 && s->tpus[i].temperature_c >= s->board->trip_c[divider]) {
            divider++;
        }
        set_divider(s, i, divider);
    }
}

void atoll__sim_tick(struct sim *s)
{
    const struct atoll_board *b = s->board;
    const double tau_ns = b->thermal_tau_s.value * 1e9;
    /* 1 - exp(-x) to third order by its Pade form; a board without a time constant follows at once
     */
    const double x = tau_ns > 0 ? (double)s->tick_ns / tau_ns : 2;
    const double approach = x < 2 ? x / (1 + x / 2) : 1;
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        struct sim_tpu *t = &s->tpus[i];
        settle(s, t);
        const double mean_w = t->tick_pj / (double)s->tick_ns / 1e3;
        const double target_c = b->ambient_c.value + b->thermal_c_per_w.value * mean_w;
        t->tick_pj = 0;
        t->temperature_c += approach * (target_c - t->temperature_c);
        set_leak(s, t);
        refresh(s, t);
    }
    s->next_tick_ns += s->tick_ns;
    if (s->now_ns >= s->next_poll_ns) {
        s->next_poll_ns += SIM_POLL_NS;
        if (b->throttles) {
            poll_trip_points(s);
        }
    }
}

void atoll__sim_energy_reset(struct sim *s)
{
    s->begin_ns = s->now_ns;
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        struct sim_tpu *t = &s->tpus[i];
        settle(s, t);
        for (int k = 0; k < ATOLL_STATES; k++) {
            t->energy_pj[k] = 0;
            t->state_ns[k] = 0;
        }
    }
}

void atoll__sim_energy_states(const struct sim *s, struct atoll_engine_state *out)
{
    for (int k = 0; k < ATOLL_STATES; k++) {
        out[k] = (struct atoll_engine_state){0};
    }
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        const struct sim_tpu *t = &s->tpus[i];
        const double open_ns = (double)(s->now_ns - t->power_since_ns);
        for (int k = 0; k < ATOLL_STATES; k++) {
            const bool now = k == (int)t->state;
            out[k].energy_mj += (t->energy_pj[k] + (now ? t->power_mw * open_ns : 0)) / 1e9;
            out[k].tpu_s += ((double)t->state_ns[k] + (now ? open_ns : 0)) / 1e9;
        }
    }
}

double atoll__sim_energy_mj(const struct sim *s)
{
    struct atoll_engine_state by[ATOLL_STATES];
    double mj = s->board->board_mw.value * (double)(s->now_ns - s->begin_ns) / 1e9;
    atoll__sim_energy_states(s, by);
    for (int k = 0; k < ATOLL_STATES; k++) {
        mj += by[k].energy_mj;
    }
    return mj;
}
