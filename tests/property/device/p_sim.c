/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random boards, segments and loads. Holds for each: a TPU runs one inference at a time and in the
 * order of submission; time never goes back; what an event accounts for is its whole duration;
 * the lock excludes, threads limit; the sink's energy is the engine's; the same seed gives the
 * same events; and an event-by-event run equals the plain formula where one TPU works alone.
 */
#include "sim_fixture.h"

#include <math.h>

enum { TPUS_MAX = 5, SLOTS_MAX = 12, LAYERS_MAX = 8 };

struct load {
    struct atoll_board board;
    struct atoll_program programs[SLOTS_MAX];
    struct atoll_layer layers[SLOTS_MAX][LAYERS_MAX];
    uint32_t tpu[SLOTS_MAX], group[SLOTS_MAX], n_slots, count;
    uint64_t seed;
    bool no_jitter;
};

static double pick(struct atoll_rng *r, double most)
{
    return atoll_rng_below(r, 4) == 0 ? 0 : most * atoll_rng_unit(r);
}

static void random_load(struct atoll_rng *r, struct load *l)
{
    *l = (struct load){.board = fix_board(1 + (uint32_t)atoll_rng_below(r, TPUS_MAX)),
                       .seed = atoll_rng_u64(r)};
    struct atoll_board *b = &l->board;
    for (int d = 0; d < 2; d++) {
        struct atoll_drive_cost *c = &b->drive[0][d];
        c->call_us = fix_q(pick(r, 500));
        c->serial_us = fix_q(pick(r, 300));
        c->input_us_per_mib = fix_q(pick(r, 3000));
        c->output_us_per_mib = fix_q(pick(r, 6000));
        c->output_us_per_kpx = fix_q(pick(r, 50));
        c->compute_scale = fix_q(0.5 + atoll_rng_unit(r));
    }
    b->host_threads = (uint32_t)atoll_rng_below(r, 4);
    b->shared_link_mib_per_s =
        fix_q(atoll_rng_below(r, 3) == 0 ? 0 : 100 + 1500 * atoll_rng_unit(r));
    b->stream_us = fix_q(pick(r, 300));
    b->leak_mw_per_c = fix_q(pick(r, 10));
    b->thermal_c_per_w = fix_q(40);
    b->thermal_tau_s = fix_q(1 + atoll_rng_unit(r));
    b->ambient_c = fix_q(60 * atoll_rng_unit(r));
    b->jitter_inference_frac = fix_q(pick(r, 0.05));
    b->spike_frac = fix_q(pick(r, 0.1));
    b->spike_us = fix_q(300);
    l->no_jitter = atoll_rng_below(r, 3) == 0;
    l->n_slots = 1 + (uint32_t)atoll_rng_below(r, SLOTS_MAX);
    l->count = 20 + (uint32_t)atoll_rng_below(r, 200);
    for (uint32_t i = 0; i < l->n_slots; i++) {
        const uint32_t n = (uint32_t)atoll_rng_below(r, LAYERS_MAX + 1);
        for (uint32_t k = 0; k < n; k++) {
            l->layers[i][k] = fix_layer(pick(r, 3000), (uint64_t)pick(r, 2000));
        }
        l->programs[i] = fix_program(l->layers[i], n, (uint64_t)pick(r, 3000));
        l->programs[i].n_tpu_ops = n + 1;
        l->programs[i].output_px = atoll_rng_below(r, 5000);
        l->programs[i].cpu_us = pick(r, 100);
        l->tpu[i] = (uint32_t)atoll_rng_below(r, b->n_tpus);
        l->group[i] = (uint32_t)atoll_rng_below(r, 3);
    }
}

struct watch {
    uint64_t since_ns, hash;
    double mw, mj;
    bool open;
};

static void integrate(void *user, uint64_t t_ns, const double *rail_mw, uint32_t n)
{
    struct watch *w = user;
    assert_true(!w->open || t_ns >= w->since_ns);
    w->mj += w->open ? w->mw * (double)(t_ns - w->since_ns) / 1e9 : 0;
    w->mw = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert_true(rail_mw[i] > 0);
        w->mw += rail_mw[i];
    }
    w->since_ns = t_ns;
    w->open = true;
}

/* Checks one DONE event against what is known of its TPU. */
static void check_event(const struct atoll_device_event *ev, uint64_t *free_ns, uint64_t *next_tag)
{
    assert_true(ev->submit_ns <= ev->start_ns && ev->start_ns <= ev->time_ns);
    assert_true(ev->start_ns >= free_ns[ev->tpu]);
    const uint64_t parts =
        ev->host_ns + ev->input_ns + ev->load_ns + ev->compute_ns + ev->stream_ns + ev->output_ns;
    assert_int_equal(parts, ev->time_ns - ev->start_ns);
    assert_int_equal(ev->tag, next_tag[ev->tpu]);
    assert_int_equal(ev->status, 0);
    free_ns[ev->tpu] = ev->time_ns;
    next_tag[ev->tpu]++;
}

/* Submits at random moments (timers) and in bursts; tags count per TPU. */
static uint64_t run(const struct load *l, bool with_sink)
{
    struct atoll_device *d = fix_open(&l->board, l->seed, l->no_jitter);
    struct atoll_rng r;
    struct watch w = {0};
    uint32_t slots[SLOTS_MAX];
    uint64_t free_ns[TPUS_MAX] = {0};
    uint64_t submitted[TPUS_MAX] = {0};
    uint64_t next_tag[TPUS_MAX] = {0};
    uint64_t last_ns = 0;
    uint32_t sent = 0;
    atoll_rng_seed(&r, l->seed);
    for (uint32_t i = 0; i < l->n_slots; i++) {
        slots[i] = fix_load(d, l->tpu[i], &l->programs[i], l->group[i]);
    }
    assert_int_equal(atoll_device_begin(d, (enum atoll_drive)(l->seed & 1), 1 + l->count % 3, NULL),
                     0);
    if (with_sink) {
        assert_int_equal(atoll_device_rail_sink(d, integrate, &w, NULL), 0);
    }
    assert_int_equal(atoll_device_timer(d, 0, 0, NULL), 0);
    for (;;) {
        const struct atoll_device_event ev = fix_next(d);
        assert_true(ev.time_ns >= last_ns);
        assert_int_equal(ev.time_ns, atoll_device_now_ns(d));
        last_ns = ev.time_ns;
        w.hash = atoll_fnv1a(&(uint64_t[]){ev.time_ns, ev.tag, ev.start_ns, ev.kind}, 32, w.hash);
        if (ev.kind == ATOLL_EVENT_IDLE) {
            break;
        }
        if (ev.kind == ATOLL_EVENT_DONE) {
            check_event(&ev, free_ns, next_tag);
            continue;
        }
        for (uint64_t burst = 1 + atoll_rng_below(&r, 6); burst > 0 && sent < l->count;
             burst--, sent++) {
            const uint32_t i = (uint32_t)atoll_rng_below(&r, l->n_slots);
            assert_int_equal(atoll_device_submit(d, slots[i], submitted[l->tpu[i]]++, NULL, NULL),
                             0);
        }
        if (sent < l->count) {
            assert_int_equal(
                atoll_device_timer(d, ev.time_ns + atoll_rng_below(&r, 5000000), 0, NULL), 0);
        }
    }
    double mj = 0;
    assert_int_equal(atoll_device_engine_mj(d, &mj, NULL), 0);
    if (with_sink) {
        w.mj += w.mw * (double)(last_ns - w.since_ns) / 1e9;
        test_close(w.mj, mj, 1e-9 * mj + 1e-12);
    }
    for (uint32_t t = 0; t < l->board.n_tpus; t++) {
        assert_int_equal(next_tag[t], submitted[t]);
    }
    atoll_device_close(&d);
    return w.hash;
}

static void invariants(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    for (size_t i = 0; i < test_cases(400); i++) {
        struct load l;
        random_load(&r, &l);
        const uint64_t hash = run(&l, true);
        assert_true(hash == run(&l, false)); /* watching changes nothing */
    }
}

/* The reference: one inference alone on a cool board, from the laws as sim_internal.h tells them.
 */
static double alone_us(const struct load *l, uint32_t i, enum atoll_drive drive, bool load)
{
    const struct atoll_board *b = &l->board;
    const struct atoll_drive_cost *c = &b->drive[0][drive];
    const struct atoll_program *p = &l->programs[i];
    const double shared = b->shared_link_mib_per_s.value;
    const double least = shared > 0 ? 1e6 / shared : 0; /* us/MiB */
    const double mib = 1024.0 * 1024.0;
    double us = c->call_us.value + p->cpu_us;
    us += c->input_us_per_mib.value > 0 ? fmax(c->input_us_per_mib.value, least) *
                                              (double)(p->input_bytes + p->instruction_bytes) / mib
                                        : 0;
    us += c->output_us_per_mib.value > 0
              ? fmax(c->output_us_per_mib.value, least) * (double)p->output_bytes / mib
              : 0;
    us += c->output_us_per_kpx.value * (double)p->output_px / 1e3;
    if (load && p->on_chip_bytes > 0) {
        us += b->load_us.value +
              fmax(b->load_us_per_mib.value, least) * (double)p->on_chip_bytes / mib;
    }
    bool streams = false;
    for (uint32_t k = 0; k < p->n_layers; k++) {
        streams = streams || p->layers[k].stream_bytes > 0;
        const double compute = p->layers[k].cycles / 500 * c->compute_scale.value;
        us += fmax(compute, fmax(b->stream_us_per_mib.value, least) *
                                (double)p->layers[k].stream_bytes / mib);
    }
    return us + (streams ? b->stream_us.value : 0);
}

static void alone_is_the_formula(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed() + 1);
    for (size_t n = 0; n < test_cases(300); n++) {
        struct load l;
        random_load(&r, &l);
        l.board.throttles = false;
        struct atoll_device *d = fix_open(&l.board, 1, true);
        for (uint32_t i = 0; i < l.n_slots; i++) {
            const uint32_t slot = fix_load(d, l.tpu[i], &l.programs[i], 100 + i);
            const enum atoll_drive drive = (enum atoll_drive)(n & 1);
            assert_int_equal(atoll_device_begin(d, drive, 1, NULL), 0);
            for (int again = 0; again < 2; again++) {
                const struct atoll_device_event ev = fix_run(d, slot);
                test_close(fix_us(&ev), alone_us(&l, i, drive, again == 0), 0.02);
            }
        }
        atoll_device_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(invariants),
                                       cmocka_unit_test(alone_is_the_formula)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
