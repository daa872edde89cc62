/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file firmware_scan.h
 * The sampling state machine: conversions in, blocks of scans out. Free of any chip; inline, since
 * it runs in the interrupt of the converter, and every cycle of it is a cycle less for the rest.
 *
 * A scan is `conversions` rounds over `channels` channels. Each conversion has its own trigger, and
 * triggers come at equal distances, so a scan lasts channels x conversions triggers. The count of
 * scans is a count of triggers: a trigger that came too early for the converter spoils its scan
 * (slip), a scan without a free block is thrown away (lost), and both still count.
 */
#ifndef FW_SCAN_H
#define FW_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#ifndef FW_BLOCK_SAMPLES
#define FW_BLOCK_SAMPLES 64
#endif
#define FW_CHANNELS_MAX 8
#ifndef FW_TICK /* counts the ticks between two triggers */
#define FW_TICK uint16_t
#endif
#define FW_TOP_TICKS 16 ///< reading a stamp takes fewer

struct fw_block {
    uint32_t first;      ///< scan
    uint16_t lost, slip; ///< up to `first`
    uint8_t scans;
    volatile bool ready; ///< the main loop's; else the interrupt's
    uint16_t samples[FW_BLOCK_SAMPLES];
};

struct fw_scan {
    /* set while stopped */
    uint8_t channels, conversions;
    uint8_t block_scans; ///< scans x channels <= FW_BLOCK_SAMPLES
    /* of the interrupt */
    uint8_t channel, round; ///< of the conversion awaited
    bool spoiled, dropping;
    struct fw_block *filling, *other;
    uint16_t *at;
    volatile uint32_t index; ///< scan under way
    volatile uint16_t lost, slip;
    struct fw_block blocks[2];
    uint16_t spare[FW_CHANNELS_MAX]; ///< where samples go that have no block
};

/** Ready for the first conversion of scan 0. */
static inline void fw_scan_start(struct fw_scan *s)
{
    s->channel = s->round = 0;
    s->spoiled = s->dropping = false;
    s->filling = &s->blocks[0];
    s->other = &s->blocks[1];
    s->index = 0;
    s->lost = s->slip = 0;
    for (uint8_t i = 0; i < 2; i++) {
        s->blocks[i].first = 0;
        s->blocks[i].lost = s->blocks[i].slip = 0;
        s->blocks[i].scans = 0;
        s->blocks[i].ready = false;
    }
    s->at = s->blocks[0].samples;
}

/* Hands the block to the main loop if it holds anything, and goes on with the other one if that is
 * free. */
static inline void fw_scan_turn(struct fw_scan *s)
{
    struct fw_block *b = s->filling;
    if (b->scans > 0 && !s->dropping) {
        b->ready = true;
        s->filling = s->other;
        s->other = b;
        b = s->filling;
    }
    s->dropping = b->ready;
    if (s->dropping) {
        s->at = s->spare;
        return;
    }
    b->first = s->index;
    b->lost = s->lost;
    b->slip = s->slip;
    b->scans = 0;
    s->at = b->samples;
}

static inline void fw_scan_end(struct fw_scan *s)
{
    s->index++;
    if (s->spoiled) {
        s->spoiled = false;
        s->slip++;
        fw_scan_turn(s);
    } else if (s->dropping) {
        s->lost++;
        fw_scan_turn(s);
    } else {
        struct fw_block *b = s->filling;
        if (++b->scans >= s->block_scans) {
            fw_scan_turn(s);
        }
    }
}

static inline void fw_scan_step(struct fw_scan *s)
{
    s->at++;
    if (++s->channel < s->channels) {
        return;
    }
    s->channel = 0;
    if (++s->round < s->conversions) {
        s->at -= s->channels;
        return;
    }
    s->round = 0;
    fw_scan_end(s);
}

/** The conversion awaited gave `code`. Then s->channel is the next one. */
static inline void fw_scan_take(struct fw_scan *s, uint16_t code)
{
    *s->at = s->round == 0 ? code : (uint16_t)(*s->at + code);
    fw_scan_step(s);
}

/** A trigger passed without a conversion. */
static inline void fw_scan_skip(struct fw_scan *s)
{
    s->spoiled = true;
    fw_scan_step(s);
}

/** The codes of a whole scan at once, round by round: the way of a chip that brings them to memory
 * by itself. Mixes with fw_scan_take only between two scans. */
static inline void fw_scan_whole(struct fw_scan *s, const uint16_t *codes)
{
    uint16_t *at = s->at;
    for (uint8_t c = 0; c < s->channels; c++) {
        at[c] = codes[c];
    }
    for (uint8_t r = 1; r < s->conversions; r++) {
        codes += s->channels;
        for (uint8_t c = 0; c < s->channels; c++) {
            at[c] = (uint16_t)(at[c] + codes[c]);
        }
    }
    s->at = at + s->channels;
    fw_scan_end(s);
}

/** Scans passed of which no code is known: slips. Only between two scans. */
static inline void fw_scan_miss(struct fw_scan *s, uint32_t scans)
{
    s->index += scans;
    s->slip = (uint16_t)(s->slip + scans);
    fw_scan_turn(s);
}

/** When something happened: registers, as an interrupt finds them. */
struct fw_stamp {
    FW_TICK tick;           ///< ticks since the last trigger, when it happened
    FW_TICK now;            ///< the same, when the rest was read: smaller if a trigger came between
    uint16_t index;         ///< low bits of fw_scan.index
    uint8_t channel, round; ///< conversion awaited
    bool busy;              ///< the conversion of the last trigger is under way or not taken yet
};

/** The scan a stamp falls in, and how far into it in 1/65536. `index`: fw_scan.index some time
 *  later. trigger_ticks: distance of the triggers. */
void fw_scan_place(const struct fw_scan *s, const struct fw_stamp *stamp, uint32_t index,
                   uint32_t trigger_ticks, uint32_t *scan, uint16_t *fraction);

/** Where a chip stands that counts its triggers: trigger `triggers` (modulo 2^32) was the first of
 *  scan `scan`. */
struct fw_position {
    uint32_t triggers, scan;
};
/** The stamp of what happened `ago` ticks before the moment at which `triggers` triggers had passed
 *  since `base`'s count began at 0, the last one `ticks` ticks before. */
void fw_scan_stamp(const struct fw_scan *s, const struct fw_position *base, uint32_t triggers,
                   uint32_t ticks, uint32_t ago, uint32_t trigger_ticks, struct fw_stamp *out);

#endif
