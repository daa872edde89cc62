/* SPDX-License-Identifier: Apache-2.0 */
/* The line to a serial meter (a port, and a thread that reads it with the time of arrival:
 * serial_port.c), the device at its end (serial_device.c), and the meter (serial.c). */
#ifndef ATOLL_SERIAL_INTERNAL_H
#define ATOLL_SERIAL_INTERNAL_H

#include "power_internal.h"

#include <pthread.h>

enum { SERIAL_PINGS = 64 };

struct serial_port {
    int fd;
    char path[200];
    uint32_t baud;
    pthread_t thread;
    bool reading;
    pthread_mutex_t lock;
    /* under the lock */
    bool stop_asked, ping; ///< ping: several times a second
    int failed;            ///< errno, or -1: the line was closed
    uint8_t *queue;        ///< chunks: arrival u64, length u32, bytes
    size_t n_queue, queue_capacity;
    uint64_t last_arrival_ns;
    uint8_t seq;
    uint16_t pings;
    uint64_t ping_ns[SERIAL_PINGS]; ///< when the last pings were written
};

/** ATOLL_EDEVICE with what can be done about it: no such port, no permission, in use. */
int atoll__serial_open(struct serial_port *p, struct atoll_err *err);
void atoll__serial_close(struct serial_port *p);
int atoll__serial_send(struct serial_port *p, struct atoll_wire_frame *f, struct atoll_err *err);
int atoll__serial_write(struct serial_port *p, const uint8_t *bytes, size_t n,
                        struct atoll_err *err);
/** Is there a port that could be one? Opens none. */
bool atoll__serial_present(char *detail, size_t n);
/** Takes all chunks that have arrived: calls `take` for each. A failure of the line is answered
 *  after what came before it. */
int atoll__serial_drain(struct serial_port *p,
                        void (*take)(void *ctx, const uint8_t *bytes, size_t n,
                                     uint64_t arrival_ns),
                        void *ctx, struct atoll_err *err);
/** Sleeps for some milliseconds, or until something arrives. */
void atoll__serial_pause(void);
/** ATOLL_EUSAGE where `t_ns` is the time of a simulated device and not this machine's. */
int atoll__serial_now(const struct serial_port *p, uint64_t t_ns, struct atoll_err *err);
/** ATOLL_EDEVICE where nothing came since `since_ns`, for too long. */
int atoll__serial_silent(const struct serial_port *p, uint64_t since_ns, struct atoll_err *err);
/** Drains until the meter has taken in `scans` scans; ATOLL_EDEVICE when none come any more. */
int atoll__serial_wait(struct serial_port *p, struct atoll_meter *m, double scans,
                       int (*drain)(void *state, struct atoll_meter *m, struct atoll_err *err),
                       void *state, struct atoll_err *err);

/** The device, as it introduced itself. */
struct serial {
    struct serial_port port;
    struct atoll_wire_decoder decoder; ///< until start; then the meter's own decodes
    struct atoll_wire_hello hello;
    struct atoll_wire_config config;
    struct atoll_wire_channel channels[ATOLL_WIRE_CHANNELS_MAX];
    struct atoll_wire_stat stat;
    uint16_t known; ///< channels that were introduced
    bool greeted, configured, refused, reported;
    struct atoll_wire_error error;
    struct atoll_wire_set set;
    uint8_t wired[ATOLL_METER_RAILS_MAX]; ///< channel of each rail
    char only[16];                        ///< option channel=: number or name, empty: all
    double volt_frac;                     ///< how far rails may be off their nominal voltage
    bool running;
    double best_round_ns;
    struct atoll_meter *meter; ///< while draining
};

static inline uint64_t atoll__serial_ms(uint64_t ms)
{
    return ms * 1000000;
}

int atoll__serial_run(struct serial *s, bool on, struct atoll_err *err);
/** Finds out who is there, chooses channels and rate, fills the setup. */
int atoll__serial_identify(struct serial *s, const struct atoll_meter_opts *o,
                           struct atoll_meter_setup *setup, struct atoll_err *err);
int atoll__serial_self_test(void *state, struct atoll_meter_check *checks, uint32_t *n,
                            struct atoll_err *err);
int atoll__serial_store(void *state, const struct atoll_calibration *c, struct atoll_err *err);

#endif
