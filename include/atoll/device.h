/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file device.h
 * Room `device`: one interface for a board with Edge TPUs. Drivers: `sim` (always built; a
 * discrete-event engine in virtual time), `cpu` (the TFLite runtime), `edgetpu` (TFLite runtime +
 * libedgetpu).
 *
 * The interface is asynchronous so that one runner drives all of them: load segments, submit
 * work, take the next event. Time is the device's own: virtual for `sim`, monotonic for the others.
 * One thread uses a device at a time.
 */
#ifndef ATOLL_DEVICE_H
#define ATOLL_DEVICE_H

#include <atoll/cost.h>

#ifdef __cplusplus
extern "C" {
#endif

struct atoll_device;

struct atoll_device_opts {
    const struct atoll_board *board; ///< borrowed while open; required by sim
    struct atoll_use use;
    enum atoll_compiler compiler;
    uint64_t seed;     ///< of jitter and arrival noise; sim is deterministic for it
    const char *share; ///< for the runtime's search; NULL
    bool no_jitter;    ///< sim: every spread off (tests against closed formulas)
};
struct atoll_driver; ///< impl/device.h
/** All drivers compiled in, in order of listing; NULL-terminated. */
ATOLL_API const struct atoll_driver *const *atoll_drivers(void);
ATOLL_API const char *atoll_driver_name(const struct atoll_driver *d);

/** What `atoll devices` shows of a driver on this machine. */
struct atoll_device_listing {
    char name[32]; ///< driver
    bool available;
    char detail[400]; ///< versions, or why not and how to mend it
    uint32_t n_tpus;  ///< found; 0 unknown or none
};
ATOLL_API int atoll_device_list(const struct atoll_driver *d, struct atoll_device_listing *out,
                                struct atoll_err *err);

/** ATOLL_EUSAGE: unknown driver name (known ones listed). ATOLL_EDEVICE: not available, with the
 * reason. */
ATOLL_API int atoll_device_open(const char *driver, const struct atoll_device_opts *o,
                                struct atoll_device **d, struct atoll_err *err);
ATOLL_API void atoll_device_close(struct atoll_device **d);

/** One thing that a real board needs, as found on this machine. */
struct atoll_probe_finding {
    char kind[16];    ///< "tpu", "driver", "library"
    char name[64];    ///< "apex_0", USB path "1-2.3", "apex", "tflite", "libedgetpu"
    bool available;   ///< could be used now
    char detail[400]; ///< what it is, or why not and how to mend it
};
struct atoll_probe_opts {
    const char *root;    ///< in front of /sys and /dev (tests); NULL: ""
    const char *runtime; ///< the only TFLite runtime tried; NULL: the usual search
};
/** Looks for Edge TPUs on PCIe (/sys/class/apex) and USB (ids 1a6e:089a, 18d1:9302), the kernel
 *  driver, a TFLite runtime (by atoll_runtime_open) and libedgetpu, and fills
 *  out[capacity]. *n receives the number found, which may exceed capacity. Opens no TPU. `o` may be
 * NULL. */
ATOLL_API int atoll_device_probe(const struct atoll_probe_opts *o, struct atoll_probe_finding *out,
                                 size_t capacity, size_t *n, struct atoll_err *err);

struct atoll_device_info {
    const char *driver, *version; ///< "sim", "atoll 0.1.0" or the runtime's version
    enum atoll_origin origin;     ///< of the times it reports
    uint32_t n_tpus;
    bool virtual_time;
    bool moves_data;     ///< computes: submit takes the tensors of each inference
    const char *kernels; ///< what computes ("xnnpack", "builtin"); NULL for sim
};
ATOLL_API void atoll_device_info(const struct atoll_device *d, struct atoll_device_info *out);

/** A segment to run: operators of a model in order of execution. */
struct atoll_device_segment {
    const struct atoll_cost *cost; ///< costed model (borrowed while loaded); carries the model
    const uint32_t *ops;
    uint32_t n_ops;
    /* A whole model that was compiled together with others: all of them in that order, this one at
     * `place`. n_together 0: it was compiled by itself. */
    const struct atoll_cost *const *together;
    uint32_t n_together, place;
};
/** Makes a segment ready on a TPU; *slot names it in submit. Its parameters travel with the first
 *  inference (and again whenever another slot of a different `cache_group` ran there in between).
 *  Slots that share a cache_group were compiled together and do not evict each other. */
ATOLL_API int atoll_device_load(struct atoll_device *d, uint32_t tpu,
                                const struct atoll_device_segment *s, uint32_t cache_group,
                                uint32_t *slot, struct atoll_err *err);

/** Buffers of one inference, in the order of the segment's boundary tensors
 *  (atoll_segment_boundary). They stay valid and untouched from submit to DONE. NULL for sim, and
 *  where nobody looks at the values. */
struct atoll_device_io {
    const void *const *in;
    void *const *out;
};
/** Begins a phase: how stages are driven (host constants), and how many independent pipelines run
 * side by side. */
ATOLL_API int atoll_device_begin(struct atoll_device *d, enum atoll_drive drive, uint32_t pipelines,
                                 struct atoll_err *err);
/** Queues one inference of `slot` on its TPU, now. TPUs run their queue in order. `tag` comes back
 * in the event. */
ATOLL_API int atoll_device_submit(struct atoll_device *d, uint32_t slot, uint64_t tag,
                                  const struct atoll_device_io *io, struct atoll_err *err);
/** Asks for a TIMER event at `at_ns` (device time; past: at once). */
ATOLL_API int atoll_device_timer(struct atoll_device *d, uint64_t at_ns, uint64_t tag,
                                 struct atoll_err *err);

enum atoll_event_kind { ATOLL_EVENT_DONE, ATOLL_EVENT_TIMER, ATOLL_EVENT_IDLE };
struct atoll_device_event {
    enum atoll_event_kind kind; ///< IDLE: nothing is under way
    uint64_t tag;
    uint32_t slot, tpu;
    uint64_t time_ns; ///< when it happened
    /* DONE: where the time went, ns. queue: from submit until the TPU's turn and the host's lock.
     */
    uint64_t submit_ns, start_ns;
    uint64_t host_ns, input_ns, load_ns, compute_ns, stream_ns, output_ns;
    bool loaded; ///< this inference paid for loading its parameters
    int status;  ///< 0 or a negative code: the inference failed
};
/** Waits for and takes the next event. */
ATOLL_API int atoll_device_next(struct atoll_device *d, struct atoll_device_event *ev,
                                struct atoll_err *err);
ATOLL_API uint64_t atoll_device_now_ns(const struct atoll_device *d);
/** Lets time pass until `at_ns` with nothing under way (cool-down, idle baseline). */
ATOLL_API int atoll_device_idle_until(struct atoll_device *d, uint64_t at_ns,
                                      struct atoll_err *err);

struct atoll_tpu_state {
    char id[64];            ///< unique and stable ("sim:asus_crl_g18u:3", PCI address, USB path)
    double temperature_c;   ///< NAN when not known
    uint32_t clock_divider; ///< 0 full speed .. 3
    bool throttled;         ///< was below full speed at any time since begin
    uint32_t resident_slot; ///< slot whose parameters are in the cache, UINT32_MAX none
    uint64_t inferences;
};
ATOLL_API int atoll_device_tpu(struct atoll_device *d, uint32_t tpu, struct atoll_tpu_state *out,
                               struct atoll_err *err);

/** Power as it flows, for a meter that cannot hang on a wire. Called at each change with the power
 *  of each rail of the board from that moment on. Only drivers in virtual time have it
 *  (ATOLL_EUNSUPPORTED elsewhere: a real board has a real meter). */
typedef void (*atoll_rail_fn)(void *user, uint64_t t_ns, const double *rail_mw, uint32_t n_rails);
ATOLL_API int atoll_device_rail_sink(struct atoll_device *d, atoll_rail_fn fn, void *user,
                                     struct atoll_err *err);
/** What a TPU does, as far as power goes: waits (also for the host), moves tensors, loads
 * parameters, streams parameters that compute does not hide, computes. */
enum atoll_power_state {
    ATOLL_STATE_IDLE,
    ATOLL_STATE_TRANSFER,
    ATOLL_STATE_LOAD,
    ATOLL_STATE_STREAM,
    ATOLL_STATE_COMPUTE,
    ATOLL_STATES
};
/** "idle", "transfer", "load", "stream", "compute". */
ATOLL_API const char *atoll_power_state_name(enum atoll_power_state s);
/** The states as they change, in order of time: TPU `tpu` is in `state` from t_ns on. All begin
 *  idle. Drivers that cannot see them answer ATOLL_EUNSUPPORTED; DONE events then say how long each
 *  lasted, in the order input, load, compute, stream, output. */
typedef void (*atoll_state_fn)(void *user, uint64_t t_ns, uint32_t tpu,
                               enum atoll_power_state state);
ATOLL_API int atoll_device_state_sink(struct atoll_device *d, atoll_state_fn fn, void *user,
                                      struct atoll_err *err);
/** Energy the engine itself counted since begin, for the test that compares it with the meter's;
 * the bench never reads it. */
ATOLL_API int atoll_device_engine_mj(struct atoll_device *d, double *mj, struct atoll_err *err);
/** The same by state, over all TPUs, without the rest of the board; for tests likewise. */
struct atoll_engine_state {
    double tpu_s, energy_mj;
};
ATOLL_API int atoll_device_engine_states(struct atoll_device *d,
                                         struct atoll_engine_state out[ATOLL_STATES],
                                         struct atoll_err *err);

#ifdef __cplusplus
}
#endif
#endif
