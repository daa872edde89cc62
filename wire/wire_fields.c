/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of each body. One list serves the encoder and the decoder, so they cannot differ. */
#include "wire_fields.h"

static void byte(struct wire_cursor *c, uint8_t *v)
{
    if (c->at == c->end) {
        c->bad = true;
        return;
    }
    if (c->reading) {
        *v = *c->at;
    } else {
        *c->at = *v;
    }
    c->at++;
}

/* Constant shifts by whole bytes, since the small processor has no others. */
static void u16(struct wire_cursor *c, uint16_t *v)
{
    uint8_t low = (uint8_t)*v;
    uint8_t high = (uint8_t)(*v >> 8);
    byte(c, &low);
    byte(c, &high);
    *v = (uint16_t)(low | high << 8);
}

static void u32(struct wire_cursor *c, uint32_t *v)
{
    uint16_t low = (uint16_t)*v;
    uint16_t high = (uint16_t)(*v >> 16);
    u16(c, &low);
    u16(c, &high);
    *v = low | (uint32_t)high << 16;
}

static void u64(struct wire_cursor *c, uint64_t *v)
{
    uint32_t low = (uint32_t)*v;
    uint32_t high = (uint32_t)(*v >> 32);
    u32(c, &low);
    u32(c, &high);
    *v = low | (uint64_t)high << 32;
}

static void text(struct wire_cursor *c, char *v, uint8_t bytes)
{
    for (uint8_t i = 0; i < bytes; i++) {
        uint8_t b = (uint8_t)v[i];
        byte(c, &b);
        v[i] = (char)b;
    }
}

static void hello(struct wire_cursor *c, struct atoll_wire_hello *h)
{
    byte(c, &h->device);
    for (uint8_t i = 0; i < 3; i++) {
        byte(c, &h->firmware[i]);
    }
    byte(c, &h->channels);
    u16(c, &h->boots);
    u64(c, &h->unique);
    text(c, h->name, sizeof h->name);
}

static bool bits_fit(uint8_t bits)
{
    return bits == 10 || bits == 12 || bits == 16;
}

static void config(struct wire_cursor *c, struct atoll_wire_config *g)
{
    byte(c, &g->id);
    u16(c, &g->channels);
    byte(c, &g->bits);
    byte(c, &g->conversions);
    byte(c, &g->adc_bits);
    u32(c, &g->tick_hz);
    u32(c, &g->period_ticks);
    u32(c, &g->reference_uv);
    c->bad = c->bad || !bits_fit(g->bits) || g->channels == 0 || g->conversions == 0 ||
             g->tick_hz == 0 || g->period_ticks == 0;
}

static void channel(struct wire_cursor *c, struct atoll_wire_channel *h)
{
    byte(c, &h->index);
    byte(c, &h->kind);
    byte(c, &h->rail);
    u16(c, &h->nominal_mv);
    uint32_t zero = (uint32_t)h->zero_256;
    u32(c, &zero);
    h->zero_256 = (int32_t)zero;
    u32(c, &h->gain);
    u16(c, &h->gain_u_ppm);
    u16(c, &h->zero_u_256);
    u16(c, &h->day);
    uint8_t temperature = (uint8_t)h->temperature_c;
    byte(c, &temperature);
    h->temperature_c = (int8_t)temperature;
    text(c, h->name, sizeof h->name);
    c->bad = c->bad || h->index >= ATOLL_WIRE_CHANNELS_MAX || h->kind > ATOLL_WIRE_VOLTAGE;
}

static void data(struct wire_cursor *c, struct atoll_wire_data *d)
{
    byte(c, &d->config);
    u32(c, &d->first_scan);
    u16(c, &d->lost);
    u16(c, &d->slip);
    byte(c, &d->n_scans);
    if (c->bad) {
        return;
    }
    const size_t room = (size_t)(c->end - c->at);
    if (c->reading) {
        d->payload = c->at;
        d->payload_bytes = (uint8_t)room;
        c->at = c->end;
    } else if (d->payload_bytes <= room && d->payload_bytes <= ATOLL_WIRE_PAYLOAD_MAX) {
        for (uint8_t i = 0; i < d->payload_bytes; i++) {
            *c->at++ = d->payload[i];
        }
    } else {
        c->bad = true;
    }
    c->bad = c->bad || d->n_scans == 0 || d->payload_bytes < d->n_scans;
}

static void stat(struct wire_cursor *c, struct atoll_wire_stat *s)
{
    u32(c, &s->scans);
    u32(c, &s->lost);
    u32(c, &s->slip);
    u16(c, &s->overruns);
    u16(c, &s->bad_frames);
    uint16_t temperature = (uint16_t)s->temperature_centi_c;
    u16(c, &temperature);
    s->temperature_centi_c = (int16_t)temperature;
    u16(c, &s->supply_mv);
}

static void error(struct wire_cursor *c, struct atoll_wire_error *e)
{
    byte(c, &e->code);
    u16(c, &e->detail);
    if (c->reading && !c->bad) {
        const size_t room = (size_t)(c->end - c->at);
        e->text_bytes = (uint8_t)(room <= ATOLL_WIRE_TEXT_MAX ? room : 0);
    }
    c->bad = c->bad || e->text_bytes > ATOLL_WIRE_TEXT_MAX;
    if (!c->bad) {
        text(c, e->text, e->text_bytes);
    }
}

void atoll__wire_fields(struct wire_cursor *c, struct atoll_wire_frame *f)
{
    switch (f->type) {
    case ATOLL_WIRE_HELLO:
        hello(c, &f->hello);
        break;
    case ATOLL_WIRE_CONFIG:
        config(c, &f->config);
        break;
    case ATOLL_WIRE_CHANNEL:
    case ATOLL_WIRE_STORE:
        channel(c, &f->channel);
        break;
    case ATOLL_WIRE_DATA:
        data(c, &f->data);
        break;
    case ATOLL_WIRE_EVENT:
        byte(c, &f->event.cause);
        u16(c, &f->event.id);
        u32(c, &f->event.scan);
        u16(c, &f->event.fraction);
        c->bad = c->bad || f->event.cause > ATOLL_WIRE_FALLING;
        break;
    case ATOLL_WIRE_SYNC:
        u16(c, &f->sync.id);
        u32(c, &f->sync.scan);
        u16(c, &f->sync.fraction);
        break;
    case ATOLL_WIRE_STAT:
        stat(c, &f->stat);
        break;
    case ATOLL_WIRE_ERROR:
        error(c, &f->error);
        break;
    case ATOLL_WIRE_ASK:
        byte(c, &f->ask);
        break;
    case ATOLL_WIRE_SET:
        u16(c, &f->set.channels);
        byte(c, &f->set.bits);
        byte(c, &f->set.conversions);
        u32(c, &f->set.period_ticks);
        c->bad = c->bad || !bits_fit(f->set.bits);
        break;
    case ATOLL_WIRE_RUN:
        byte(c, &f->run);
        c->bad = c->bad || f->run > 1;
        break;
    case ATOLL_WIRE_MARK:
    case ATOLL_WIRE_PING:
        u16(c, &f->id);
        break;
    default:
        c->bad = true;
    }
}
