/* SPDX-License-Identifier: Apache-2.0 */
/* What meters that are not atoll's firmware share: scans into the frames of room `wire`, options
 * behind a name, values that are polled into scans of one length. */
#ifndef ATOLL_FRAMES_H
#define ATOLL_FRAMES_H

#include "power_internal.h"

#include <pthread.h>

enum { FRAME_CODES = ATOLL_WIRE_PAYLOAD_MAX / 2 };

/* ------------------------------------------------------------- scans into frames */

struct power_frames {
    uint32_t n_samples;
    uint8_t adc_bits;
    double rate_hz;
    uint8_t seq;
    uint16_t lost;
    uint32_t first, pending; ///< scan of the frame under way, and scans in it
    uint32_t since_config;
    uint16_t codes[FRAME_CODES];
};
void atoll__power_frames_init(struct power_frames *f, uint32_t n_samples, uint8_t adc_bits,
                              double rate_hz);
/** One more scan, which ended at end_ns. */
void atoll__power_frames_add(struct power_frames *f, struct atoll_meter *m, const uint16_t *codes,
                             uint64_t end_ns);
/** n scans are missing here; the last scan before them ended at end_ns. */
void atoll__power_frames_skip(struct power_frames *f, struct atoll_meter *m, uint32_t n,
                              uint64_t end_ns);
void atoll__power_frames_flush(struct power_frames *f, struct atoll_meter *m, uint64_t end_ns);

/* ---------------------------------------------------------------------- options */

/** A number behind a meter's name: "key=number". */
struct power_option {
    const char *key;
    double low, high;
    double *to;
};
/** Splits "text,key=number,..." : the text into `first` (n bytes), numbers to where they belong.
 *  ATOLL_EUSAGE names what is known. */
int atoll__power_options(const char *meter, const char *arg, char *first, size_t n,
                         const struct power_option *options, size_t n_options,
                         struct atoll_err *err);

/* --------------------------------------------------------- power into equal cells */

/* Codes of a power: 40 mW, 0 W in the middle; what rounding leaves is carried to the next cell. */
enum { POWER_ZERO_CODE = 32768 };
#define POWER_CODE_MW 40.0

/** Values at uneven times (power, or energy since some moment) to means over cells of one length.
 */
struct power_cells {
    struct power_frames frames;
    uint32_t n;
    bool counters; ///< values are energies in mJ; else powers in mW
    double period_ns, gap_ns;
    bool begun;
    uint64_t origin_ns; ///< all below count from here
    double at_ns, edge_ns;
    double value[ATOLL_METER_RAILS_MAX], charge[ATOLL_METER_RAILS_MAX];
    double residue[ATOLL_METER_RAILS_MAX];
};
void atoll__power_cells_init(struct power_cells *c, uint32_t n, bool counters, double rate_hz);
/** Values found at t_ns (times go up). Powers more than gap_ns apart leave a gap. */
void atoll__power_cells_add(struct power_cells *c, struct atoll_meter *m, uint64_t t_ns,
                            const double *values);
/** Sends the cells that are complete. */
void atoll__power_cells_flush(struct power_cells *c, struct atoll_meter *m);
/** A setup for n rails that give power. gain_frac, zero_w: assumed standard uncertainties. */
void atoll__power_cells_setup(struct atoll_meter_setup *s, uint32_t n, double rate_hz,
                              double gain_frac, double zero_w);

/* ---------------------------------------------------------------------- polling */

/** A thread that reads `n` values each period. */
struct power_poll {
    struct power_cells cells;
    int (*read)(void *source, double *values, struct atoll_err *err);
    void *source;
    uint64_t period_ns;
    double latency_ns, u_latency_ns; ///< how old a value is when it is read
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    /* under the lock */
    bool stop_asked;
    struct power_polled *queue;
    size_t n_queue, queue_capacity;
    struct atoll_err failed;
};
void atoll__power_poll_init(struct power_poll *p, uint32_t n, bool counters, double rate_hz);
int atoll__power_poll_start(struct power_poll *p, struct atoll_meter *m, uint64_t t_ns,
                            struct atoll_err *err);
int atoll__power_poll_advance(struct power_poll *p, struct atoll_meter *m, struct atoll_err *err);
int atoll__power_poll_stop(struct power_poll *p, struct atoll_meter *m, uint64_t t_ns,
                           uint32_t scans, struct atoll_err *err);
void atoll__power_poll_finish(struct power_poll *p);

/** A number from a small file (sysfs). ATOLL_EDEVICE with what can be done about it. */
int atoll__power_read_number(const char *path, double *out, struct atoll_err *err);
/** Its first line, without the end; false: none. */
bool atoll__power_read_line(const char *path, char *out, size_t n);

#endif
