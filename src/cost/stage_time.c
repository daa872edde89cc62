/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the sums of a segment to time and energy on a board:
 *   latency = call + in * sent + sum over layers of max(compute, k * streamed)
 *             + a fixed part where anything streams
 *             + out * output + px * output pixels + operators left on the host
 * sent: inputs, and on USB the instructions, which a chip on PCIe fetches itself while it runs;
 * with the constants of the drive in use. Time in microseconds, power in milliwatts.
 */
#include "cost_internal.h"

#include <math.h>

#define MJ_PER_MW_US 1e-6 /* 1 mW for 1 us is 1 nJ */

double atoll_board_clock_hz(const struct atoll_board *b, const struct atoll_use *u)
{
    enum atoll_clock clock = u != NULL ? u->clock : ATOLL_CLOCK_DEFAULT;
    clock = clock == ATOLL_CLOCK_DEFAULT ? b->clock : clock;
    return clock == ATOLL_CLOCK_STANDARD ? b->clock_standard_hz.value : b->clock_max_hz.value;
}

const struct atoll_drive_cost *atoll_board_drive(const struct atoll_board *b,
                                                 const struct atoll_use *u, enum atoll_drive d)
{
    enum atoll_host_runner r = u != NULL ? u->runner : ATOLL_RUNNER_DEFAULT;
    r = r == ATOLL_RUNNER_DEFAULT ? b->runner : r;
    return &b->drive[r == ATOLL_RUNNER_C ? 1 : 0][d == ATOLL_DRIVE_THREADED ? 1 : 0];
}

uint64_t atoll_board_sent_bytes(const struct atoll_board *b, uint64_t input_bytes,
                                uint64_t instruction_bytes)
{
    return input_bytes + (b->link == ATOLL_LINK_PCIE ? 0 : instruction_bytes);
}

struct atoll__rates atoll__cost_rates(const struct atoll_board *b, const struct atoll_use *u)
{
    const double us_per_cycle = 1e6 / atoll_board_clock_hz(b, u);
    struct atoll__rates r = {.us_per_stream_byte = b->stream_us_per_mib.value / ATOLL__MIB};
    r.us_per_cycle[ATOLL_DRIVE_CALLED] =
        us_per_cycle * atoll_board_drive(b, u, ATOLL_DRIVE_CALLED)->compute_scale.value;
    r.us_per_cycle[ATOLL_DRIVE_THREADED] =
        us_per_cycle * atoll_board_drive(b, u, ATOLL_DRIVE_THREADED)->compute_scale.value;
    return r;
}

static enum atoll__k rel_of(enum atoll_family f)
{
    switch (f) {
    case ATOLL_FAMILY_DEPTHWISE:
        return ATOLL__K_REL_U95_DEPTHWISE;
    case ATOLL_FAMILY_DENSE:
        return ATOLL__K_REL_U95_DENSE;
    case ATOLL_FAMILY_CHAIN:
        return ATOLL__K_REL_U95_CHAIN;
    case ATOLL_FAMILY_CONVOLUTIONAL:
    case ATOLL_FAMILY_HOST:
        break;
    }
    return ATOLL__K_REL_U95_CONV;
}

/** Relative half-width of the time on the chip. */
static double rel_u95(const struct atoll__sums *s)
{
    const enum atoll__k k = s->restreams ? ATOLL__K_REL_U95_WIDE : rel_of(s->family);
    return atoll__constants_default.v[k];
}

/** Host and link of one drive, us; and its half-width. */
struct driven {
    double call_us, input_us, output_us, u95_us;
};

static struct driven drive(const struct atoll__sums *s, const struct atoll_board *b,
                           const struct atoll_drive_cost *d)
{
    if (s->n_tpu_ops == 0) {
        return (struct driven){0};
    }
    const double in_mib = (double)atoll_board_sent_bytes(b, s->in, s->instr) / ATOLL__MIB;
    const double out_mib = (double)s->out / ATOLL__MIB;
    const double u_in = d->input_us_per_mib.u95 * in_mib;
    const double out_kpx = (double)s->out_px / 1e3;
    const double u_out =
        hypot(d->output_us_per_mib.u95 * out_mib, d->output_us_per_kpx.u95 * out_kpx);
    return (struct driven){
        .call_us = d->call_us.value,
        .input_us = d->input_us_per_mib.value * in_mib,
        .output_us = d->output_us_per_mib.value * out_mib + d->output_us_per_kpx.value * out_kpx,
        .u95_us = sqrt(d->call_us.u95 * d->call_us.u95 + u_in * u_in + u_out * u_out)};
}

static double hypot3(double a, double b, double c)
{
    return sqrt(a * a + b * b + c * c);
}

/** Energy above idle: each state's power above idle times its time, and the arithmetic itself. */
static void energy(const struct atoll__sums *s, const struct atoll_board *b, const struct driven *t,
                   struct atoll_stage_cost *out)
{
    const double idle = b->idle_mw.value;
    const double compute_us = s->compute_us[ATOLL_DRIVE_THREADED];
    const double stream_us =
        s->exposed_us[ATOLL_DRIVE_THREADED] + (s->off > 0 ? b->stream_us.value : 0.0);
    const double transfer_us = t->input_us + t->output_us;
    const double gmac = (double)s->macs / 1e9;
    out->active_mj =
        ((b->compute_mw.value - idle) * compute_us + (b->stream_mw.value - idle) * stream_us +
         (b->transfer_mw.value - idle) * transfer_us) *
            MJ_PER_MW_US +
        b->mj_per_gmac.value * gmac;
    const double power_u95 = hypot3(b->compute_mw.u95 * compute_us, b->stream_mw.u95 * stream_us,
                                    b->transfer_mw.u95 * transfer_us) *
                             MJ_PER_MW_US;
    const double time_u95 = rel_u95(s) * fabs(out->active_mj);
    out->active_u95_mj = hypot3(power_u95, time_u95, b->mj_per_gmac.u95 * gmac);
}

void atoll__cost_add_ends(struct atoll__sums *s, const struct atoll__rates *r, double cycles,
                          uint64_t bytes, bool less, bool more)
{
    const double over_us =
        r->us_per_stream_byte * (double)bytes - r->us_per_cycle[ATOLL_DRIVE_CALLED] * cycles;
    const double exposed_us = over_us > 0.0 ? over_us : 0.0;
    s->less_us += less ? exposed_us : 0.0;
    s->more_us += more ? exposed_us : 0.0;
    s->less_streams |= less;
    s->more_streams |= more;
}

/** How far the time moves when the budget goes to the ends of its interval. */
static double budget_u95_us(const struct atoll__sums *s, const struct atoll_board *b)
{
    const double at = s->exposed_us[ATOLL_DRIVE_CALLED] + (s->off > 0 ? b->stream_us.value : 0.0);
    const double less = s->less_us + (s->less_streams ? b->stream_us.value : 0.0);
    const double more = s->more_us + (s->more_streams ? b->stream_us.value : 0.0);
    return fmax(fabs(less - at), fabs(at - more));
}

void atoll__cost_stage_finish(const struct atoll__sums *s, const struct atoll_board *b,
                              const struct atoll_use *u, struct atoll_stage_cost *out)
{
    const struct atoll_drive_cost *dc = atoll_board_drive(b, u, ATOLL_DRIVE_CALLED);
    const struct atoll_drive_cost *dt = atoll_board_drive(b, u, ATOLL_DRIVE_THREADED);
    const struct driven called = drive(s, b, dc);
    const struct driven threaded = drive(s, b, dt);
    const double stream_us = s->off > 0 ? b->stream_us.value : 0.0;
    const double layers_called =
        s->compute_us[ATOLL_DRIVE_CALLED] + s->exposed_us[ATOLL_DRIVE_CALLED] + stream_us;
    const double layers_threaded =
        s->compute_us[ATOLL_DRIVE_THREADED] + s->exposed_us[ATOLL_DRIVE_THREADED] + stream_us;
    const double budget_us = budget_u95_us(s, b);
    *out = (struct atoll_stage_cost){
        .stored_bytes = s->stored,
        .on_chip_bytes = s->on,
        .off_chip_bytes = s->off,
        .narrow_bytes_per_tile = s->narrow,
        .input_bytes = s->in,
        .output_bytes = s->out,
        .output_px = s->out_px,
        .instruction_bytes = s->instr,
        .macs = s->macs,
        .compute_us = s->compute_us[ATOLL_DRIVE_CALLED],
        .stream_us = s->exposed_us[ATOLL_DRIVE_CALLED] + stream_us,
        .input_us = called.input_us,
        .output_us = called.output_us,
        .call_us = called.call_us,
        .cpu_us = s->cpu_us,
        .latency_us =
            called.call_us + called.input_us + layers_called + called.output_us + s->cpu_us,
        .service_us =
            threaded.call_us + threaded.input_us + layers_threaded + threaded.output_us + s->cpu_us,
        .serial_us = s->n_tpu_ops > 0 ? dt->serial_us.value : 0.0,
        .load_us = s->on > 0
                       ? b->load_us.value + b->load_us_per_mib.value * (double)s->on / ATOLL__MIB
                       : 0.0,
        .latency_u95_us =
            hypot(hypot3(rel_u95(s) * layers_called, called.u95_us, s->cpu_us), budget_us),
        .service_u95_us =
            hypot(hypot3(rel_u95(s) * layers_threaded, threaded.u95_us, s->cpu_us), budget_us),
        .busy_us = threaded.input_us + layers_threaded + threaded.output_us,
        .family = s->family,
        .strips = s->strips,
        .warning = s->warning,
    };
    energy(s, b, &threaded, out);
}

void atoll_cost_stage_of(const struct atoll_program *p, const struct atoll_board *b,
                         const struct atoll_use *u, struct atoll_stage_cost *out)
{
    const struct atoll__rates r = atoll__cost_rates(b, u);
    struct atoll__sums s = {.stored = p->stored_bytes,
                            .on = p->on_chip_bytes,
                            .off = p->off_chip_bytes,
                            .narrow = p->narrow_bytes_per_tile,
                            .in = p->input_bytes,
                            .out = p->output_bytes,
                            .out_px = p->output_px,
                            .instr = p->instruction_bytes,
                            .cpu_us = p->cpu_us,
                            .n_tpu_ops = p->n_tpu_ops,
                            .family = p->family,
                            .strips = p->strips,
                            .restreams = p->restreams,
                            .warning = p->warning};
    for (uint32_t i = 0; i < p->n_layers; i++) {
        const struct atoll_layer *l = &p->layers[i];
        s.macs += l->kind == ATOLL_BOUND_CPU ? 0 : l->macs;
        atoll__cost_add_ends(&s, &r, l->cycles, l->if_streamed_bytes, l->streams_if_less,
                             l->streams_if_more);
        for (int d = 0; d < 2; d++) {
            const double compute = r.us_per_cycle[d] * l->cycles;
            const double stream = r.us_per_stream_byte * (double)l->stream_bytes;
            s.compute_us[d] += compute;
            s.exposed_us[d] += (stream > compute ? stream : compute) - compute;
        }
    }
    atoll__cost_stage_finish(&s, b, u, out);
}

struct atoll_quantity atoll_board_idle_tpu_mw(const struct atoll_board *b)
{
    return b->idle_mw;
}

const char *atoll_bound_name(enum atoll_bound b)
{
    static const char *const names[] = {"array", "depthwise", "vector", "link",
                                        "free",  "cpu",       "call"};
    return (unsigned)b < sizeof names / sizeof names[0] ? names[b] : "?";
}

const char *atoll_link_name(enum atoll_link l)
{
    static const char *const names[] = {"pcie", "usb3", "usb2", "onboard"};
    return (unsigned)l < sizeof names / sizeof names[0] ? names[l] : "?";
}
