/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, answers, DATA frames. */
#include "firmware_meter.h"

struct fw_meter fw_meter;

/* No frame but DATA is longer. A command is not read before its answer has room. */
enum { ANSWER_BYTES = 72, DEFAULT_HZ = 1000, LATENCY_HZ = 50 };
enum {
    FRAME_SAMPLES = ATOLL_WIRE_PAYLOAD_MAX / 2,
    BLOCK_SAMPLES = FW_BLOCK_SAMPLES < FRAME_SAMPLES ? FW_BLOCK_SAMPLES : FRAME_SAMPLES
};

static void send(struct atoll_wire_frame *f)
{
    f->seq = fw_meter.seq++;
    port_send(fw_meter.work, (uint16_t)atoll_wire_encode(f, fw_meter.work));
}

/* -------------------------------------------------------------------- answers */

static void send_error(enum fw_error code, uint16_t detail, const char *text)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_ERROR,
                                 .error = {.code = (uint8_t)code, .detail = detail}};
    for (; text[f.error.text_bytes] != '\0' && f.error.text_bytes < ATOLL_WIRE_TEXT_MAX;
         f.error.text_bytes++) {
        f.error.text[f.error.text_bytes] = text[f.error.text_bytes];
    }
    send(&f);
}

static void send_hello(void)
{
    struct atoll_wire_frame f = {
        .type = ATOLL_WIRE_HELLO,
        .hello = {.device = port_facts.device,
                  .firmware = {FW_VERSION_MAJOR, FW_VERSION_MINOR, FW_VERSION_PATCH},
                  .channels = port_facts.channels,
                  .boots = fw_meter.boots,
                  .unique = port_unique()}};
    for (uint8_t i = 0; i < sizeof f.hello.name; i++) {
        f.hello.name[i] = port_facts.name[i];
    }
    send(&f);
}

static void send_config(void)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_CONFIG, .config = fw_meter.config};
    send(&f);
}

static void send_channel(uint8_t index)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_CHANNEL};
    struct atoll_wire_channel c;
    if (!fw_store_read(index, &c)) {
        fw_meter.bad_calibration |= (uint16_t)(1u << index);
    }
    f.channel = c;
    send(&f);
}

static void send_stat(void)
{
    uint32_t index = 0;
    uint16_t lost = 0;
    uint16_t slip = 0;
    port_counts(&index, &lost, &slip);
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_STAT,
                                 .stat = {.scans = index,
                                          .lost = lost,
                                          .slip = slip,
                                          .overruns = port_overruns(),
                                          .bad_frames = (uint16_t)fw_meter.decoder.damaged,
                                          .temperature_centi_c = port_temperature_centi_c(),
                                          .supply_mv = port_supply_mv()}};
    send(&f);
}

static void send_self_test(void)
{
    if (fw_meter.running) {
        send_error(FW_RUNNING, 0, "stop first");
        return;
    }
    const uint16_t faults =
        (uint16_t)(port_self_test() | (fw_meter.bad_calibration ? FW_FAULT_CALIBRATION : 0));
    send_error(faults ? FW_SELF_TEST : FW_OK, faults, faults ? "self-test failed" : "ok");
}

/* Where a stamp lies, as EVENT and SYNC say it. */
static void place(const struct fw_stamp *stamp, uint32_t *scan, uint16_t *fraction)
{
    uint32_t index = 0;
    uint16_t lost = 0;
    uint16_t slip = 0;
    *scan = 0;
    *fraction = 0;
    if (fw_meter.running) {
        port_counts(&index, &lost, &slip);
        fw_scan_place(&fw_meter.scan, stamp, index, fw_meter.trigger_ticks, scan, fraction);
    }
}

static void send_event(uint8_t cause, uint16_t id, const struct fw_stamp *stamp)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_EVENT, .event = {.cause = cause, .id = id}};
    place(stamp, &f.event.scan, &f.event.fraction);
    send(&f);
}

static void send_sync(uint16_t id, const struct fw_stamp *stamp)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_SYNC, .sync = {.id = id}};
    place(stamp, &f.sync.scan, &f.sync.fraction);
    send(&f);
}

/* ------------------------------------------------------------------- commands */

/* 0 or enum fw_refusal; the configuration changes only if all of it can be done. */
static uint8_t set(const struct atoll_wire_set *want)
{
    struct fw_scan *s = &fw_meter.scan;
    const uint8_t channels = atoll_wire_count(want->channels);
    const uint8_t conversions = want->conversions;
    if (channels == 0 || want->channels >> port_facts.channels != 0) {
        return FW_BAD_CHANNELS;
    }
    const uint32_t full = (uint32_t)conversions * ((UINT32_C(1) << port_facts.adc_bits) - 1);
    const uint16_t triggers = (uint16_t)(channels * conversions);
    if (conversions == 0 || triggers > UINT8_MAX || full >> want->bits != 0) {
        return FW_BAD_SUM;
    }
    const uint32_t trigger_ticks = want->period_ticks / triggers;
    const uint8_t no = port_plan((uint8_t)triggers, trigger_ticks);
    if (no != 0) {
        return no;
    }
    struct atoll_wire_config *c = &fw_meter.config;
    c->id++;
    c->channels = want->channels;
    c->bits = want->bits;
    c->conversions = conversions;
    c->period_ticks = trigger_ticks * triggers; /* what it really does */
    fw_meter.trigger_ticks = trigger_ticks;
    s->channels = channels;
    s->conversions = conversions;
    /* small frames when scans are slow: a scan waits at most 1/50 s for its frame */
    const uint32_t quick = port_facts.tick_hz / LATENCY_HZ / c->period_ticks;
    const uint32_t most = BLOCK_SAMPLES / channels;
    s->block_scans = (uint8_t)(quick == 0 ? 1 : quick < most ? quick : most);
    return 0;
}

static uint16_t blocks_per_second(void)
{
    const uint32_t n =
        port_facts.tick_hz / fw_meter.config.period_ticks / fw_meter.scan.block_scans;
    return n == 0 ? 1 : n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

static void run(bool on)
{
    if (fw_meter.running) {
        port_stop();
        fw_meter.running = false;
        fw_scan_turn(&fw_meter.scan); /* the last scans fill no block */
    }
    if (!on) {
        send_stat();
        return;
    }
    fw_scan_start(&fw_meter.scan);
    fw_meter.block_next = 0;
    send_config();
    fw_meter.blocks_to_config = blocks_per_second();
    fw_meter.running = true;
    port_start(fw_meter.config.channels, fw_meter.trigger_ticks);
}

static void ask(uint8_t type)
{
    switch (type) {
    case ATOLL_WIRE_HELLO:
        send_hello();
        break;
    case ATOLL_WIRE_CONFIG:
        send_config();
        break;
    case ATOLL_WIRE_CHANNEL:
        fw_meter.channels_due = (uint16_t)((1u << port_facts.channels) - 1);
        break;
    case ATOLL_WIRE_STAT:
        send_stat();
        break;
    case ATOLL_WIRE_ERROR:
        send_self_test();
        break;
    default:
        send_error(FW_UNKNOWN, type, "no such frame");
    }
}

static void store(const struct atoll_wire_channel *c)
{
    if (c->index >= port_facts.channels) {
        send_error(FW_REFUSED_SET, FW_BAD_CHANNELS, "no such channel");
    } else if (!fw_store_write(c)) {
        send_error(FW_STORE_FAILED, c->index, "read back differs");
    } else {
        fw_meter.bad_calibration &= (uint16_t) ~(1u << c->index);
        send_channel(c->index);
    }
}

static void obey(const struct atoll_wire_frame *f, const struct fw_stamp *stamp)
{
    const bool needs_rest = f->type == ATOLL_WIRE_SET || f->type == ATOLL_WIRE_STORE;
    if (needs_rest && fw_meter.running) {
        send_error(FW_RUNNING, f->type, "stop first");
        return;
    }
    switch (f->type) {
    case ATOLL_WIRE_ASK:
        ask(f->ask);
        break;
    case ATOLL_WIRE_SET: {
        const uint8_t no = set(&f->set);
        if (no != 0) {
            send_error(FW_REFUSED_SET, no, "cannot scan like that");
        } else {
            send_config();
        }
        break;
    }
    case ATOLL_WIRE_RUN:
        run(f->run == 1);
        break;
    case ATOLL_WIRE_MARK:
        send_event(ATOLL_WIRE_COMMAND, f->id, stamp);
        break;
    case ATOLL_WIRE_PING:
        send_sync(f->id, stamp);
        break;
    case ATOLL_WIRE_STORE:
        store(&f->channel);
        break;
    default:
        send_error(FW_UNKNOWN, f->type, "no such command");
    }
}

/* ------------------------------------------------------------------ main loop */

static void read_commands(void)
{
    while (port_room() >= ANSWER_BYTES) {
        const int16_t got = port_receive();
        if (got < 0) {
            return;
        }
        const uint8_t byte = (uint8_t)got;
        struct atoll_wire_frame f;
        bool whole = false;
        (void)atoll_wire_decode(&fw_meter.decoder, &byte, 1, &f, &whole);
        if (byte != 0) {
            continue;
        }
        struct fw_stamp stamp;
        port_delimiter_stamp(fw_meter.delimiters++, &stamp);
        if (whole) {
            obey(&f, &stamp);
            return; /* scans have waited for long enough */
        }
    }
}

/* A block goes out in one frame as soon as the sender has room for it. */
static bool send_block(struct fw_block *b)
{
    const struct atoll_wire_config *c = &fw_meter.config;
    const uint16_t samples = (uint16_t)(b->scans * fw_meter.scan.channels);
    if (port_room() < 20 + atoll_wire_packed_bytes(samples, c->bits)) {
        return false;
    }
    const struct atoll_wire_data d = {.config = c->id,
                                      .first_scan = b->first,
                                      .lost = b->lost,
                                      .slip = b->slip,
                                      .n_scans = b->scans};
    const size_t n =
        atoll_wire_begin_scans(fw_meter.seq++, &d, b->samples, samples, c->bits, fw_meter.work);
    b->ready = false; /* the CRC takes longer than the packing: the block fills meanwhile */
    port_send(fw_meter.work, (uint16_t)atoll_wire_seal(fw_meter.work, n));
    if (fw_meter.blocks_to_config > 0) {
        fw_meter.blocks_to_config--;
    }
    return true;
}

/* Blocks are filled in turn, so they are sent in turn. */
static void send_blocks(void)
{
    struct fw_block *b = &fw_meter.scan.blocks[fw_meter.block_next];
    if (b->ready && send_block(b)) {
        fw_meter.block_next ^= 1u;
    }
}

static void send_edges(void)
{
    struct fw_stamp stamp;
    bool rising = false;
    uint16_t number = 0;
    if (port_room() >= ANSWER_BYTES && port_edge(&stamp, &rising, &number)) {
        send_event(rising ? ATOLL_WIRE_RISING : ATOLL_WIRE_FALLING, number, &stamp);
    }
}

static void send_due(void)
{
    if (port_room() < ANSWER_BYTES) {
        return;
    }
    if (fw_meter.channels_due != 0) {
        uint8_t index = 0;
        while (((uint32_t)fw_meter.channels_due >> index & 1u) == 0) {
            index++;
        }
        fw_meter.channels_due &= (uint16_t) ~(1u << index);
        send_channel(index);
    } else if (fw_meter.running && fw_meter.blocks_to_config == 0) {
        fw_meter.blocks_to_config = blocks_per_second();
        send_config();
    }
}

void fw_meter_init(void)
{
    struct atoll_wire_channel unused;
    fw_meter.boots = fw_store_boot();
    for (uint8_t i = 0; i < port_facts.channels; i++) {
        if (!fw_store_read(i, &unused)) {
            fw_meter.bad_calibration |= (uint16_t)(1u << i);
        }
    }
    fw_meter.config.adc_bits = port_facts.adc_bits;
    fw_meter.config.tick_hz = port_facts.tick_hz;
    fw_meter.config.reference_uv = port_facts.reference_uv;
    (void)set(&(struct atoll_wire_set){.channels = 1,
                                       .bits = port_facts.adc_bits,
                                       .conversions = 1,
                                       .period_ticks = port_facts.tick_hz / DEFAULT_HZ});
    send_hello();
}

void fw_meter_poll(void)
{
    send_blocks();
    read_commands();
    send_edges();
    send_due();
}
