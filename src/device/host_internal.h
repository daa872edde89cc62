/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that compute in real time through the TFLite runtime: one worker thread for each "TPU",
 * each with a bounded queue; what they finish goes into one ring that the caller's thread empties.
 * The drivers `cpu` and `edgetpu` differ in how an interpreter is made. */
#ifndef ATOLL_HOST_INTERNAL_H
#define ATOLL_HOST_INTERNAL_H

#include "device_internal.h"

#include <atoll/nn.h>

#include <pthread.h>

#define ATOLL__HOST_QUEUE 1024u /* inferences that wait for one worker */

struct atoll__host_slot {
    uint32_t tpu;
    const struct atoll_model *model; /* the segment or the whole model, borrowed */
    struct atoll_model *owned;       /* the segment; NULL: the whole model */
    struct atoll_interp *interp;
    bool has_state; /* recurrent: starts afresh with each inference */
};
struct atoll__host_job {
    uint64_t tag, submit_ns;
    uint32_t slot;
    const void *const *in;
    void *const *out;
};
struct atoll__host;
struct atoll__host_worker {
    struct atoll__host *host;
    uint32_t tpu;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool started, stop;
    struct atoll__host_job *queue; /* ring of ATOLL__HOST_QUEUE */
    uint32_t head, length;
    uint64_t inferences;
};
struct atoll__host_timer {
    uint64_t at_ns, tag;
};
/* How a kind of device makes its interpreters. */
struct atoll__host_kind {
    int (*interp)(struct atoll__host *h, uint32_t tpu, const struct atoll_model *m,
                  struct atoll_interp **it, struct atoll_err *err);
    void (*id)(const struct atoll__host *h, uint32_t tpu, char out[64]);
    void (*close)(struct atoll__host *h); /* after the interpreters are gone; may be NULL */
};
struct atoll__host {
    struct atoll_device base;
    const struct atoll__host_kind *kind;
    const struct atoll_runtime *rt;
    enum atoll_kernels kernels;
    char version[128];
    uint32_t n_tpus;
    struct atoll__host_worker *workers;
    struct atoll__host_slot **slots; /* each allocated alone: workers hold pointers to them */
    size_t n_slots, cap_slots;
    /* what workers finished: at most all that was submitted, so the ring cannot overflow */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct atoll_device_event *done;
    uint32_t head, length, cap;
    bool ready; /* lock and wake exist */
    /* of the caller's thread alone */
    uint32_t under_way;
    struct atoll__host_timer *timers; /* ascending by time, first in first out among equals */
    size_t n_timers, cap_timers;
    void *own; /* of the driver */
};

/* host_device.c: the driver's functions; `h` is allocated by the driver, closed by host_close */
int atoll__host_init(struct atoll__host *h, const struct atoll_driver *driver,
                     const struct atoll__host_kind *kind, uint32_t n_tpus, struct atoll_err *err);
void atoll__host_close(struct atoll_device *d);
int atoll__host_load(struct atoll_device *d, uint32_t tpu, const struct atoll_device_segment *s,
                     uint32_t cache_group, uint32_t *slot, struct atoll_err *err);
int atoll__host_begin(struct atoll_device *d, enum atoll_drive drive, uint32_t pipelines,
                      struct atoll_err *err);
int atoll__host_submit(struct atoll_device *d, uint32_t slot, uint64_t tag,
                       const struct atoll_device_io *io, struct atoll_err *err);
int atoll__host_timer(struct atoll_device *d, uint64_t at_ns, uint64_t tag, struct atoll_err *err);
int atoll__host_next(struct atoll_device *d, struct atoll_device_event *ev, struct atoll_err *err);
uint64_t atoll__host_now_ns(const struct atoll_device *d);
int atoll__host_idle_until(struct atoll_device *d, uint64_t at_ns, struct atoll_err *err);
int atoll__host_tpu(struct atoll_device *d, uint32_t tpu, struct atoll_tpu_state *out,
                    struct atoll_err *err);

/* host_segment.c: the operators as a model of their own; *piece NULL when they are all of them */
int atoll__host_segment(const struct atoll_model *m, const uint32_t *ops, uint32_t n_ops,
                        struct atoll_model **piece, struct atoll_err *err);

/* host_worker.c */
int atoll__host_worker_start(struct atoll__host *h, uint32_t tpu, struct atoll_err *err);
void atoll__host_worker_stop(struct atoll__host_worker *w);
int atoll__host_cond_init(pthread_cond_t *c); /* waits by the monotonic clock */

#endif
