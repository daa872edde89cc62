/* SPDX-License-Identifier: Apache-2.0 */
/* Driver `cpu`: the TFLite runtime on this machine, one thread for each TPU of the board that is
 * stood in for (without a board: for each core). */
#include "host_internal.h"

#include <stdlib.h>
#include <unistd.h>

static uint32_t cores(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > ATOLL_TPUS_MAX ? ATOLL_TPUS_MAX : (uint32_t)n;
}

/* Goes into every result: the kernel sets differ by a few units of an output. */
static void name_version(struct atoll__host *h)
{
    (void)snprintf(h->version, sizeof h->version, "TFLite %s, %s kernels",
                   atoll_runtime_version(h->rt), atoll_kernels_name(h->kernels));
}

/* One thread an interpreter: pipelines and replicas are the parallelism, and more threads in one
 * make all of them slower on a busy machine. */
static int cpu_interp(struct atoll__host *h, uint32_t tpu, const struct atoll_model *m,
                      struct atoll_interp **it, struct atoll_err *err)
{
    const struct atoll_interp_opts o = {.kernels = h->kernels, .threads = 1};
    (void)tpu;
    const int rc = atoll_interp_open(h->rt, m, &o, it, err);
    if (rc == 0) {
        h->kernels = atoll_interp_kernels(*it);
        name_version(h);
    }
    return rc;
}

static void cpu_id(const struct atoll__host *h, uint32_t tpu, char out[64])
{
    (void)h;
    (void)snprintf(out, 64, "cpu:%u", tpu);
}

static const struct atoll__host_kind kind = {.interp = cpu_interp, .id = cpu_id};

static int cpu_list(struct atoll_device_listing *out, struct atoll_err *err)
{
    const struct atoll_runtime *rt = NULL;
    struct atoll_err why = {0};
    (void)err;
    *out = (struct atoll_device_listing){.name = "cpu"};
    if (atoll_runtime_open(NULL, &rt, &why) != 0) {
        (void)snprintf(out->detail, sizeof out->detail, "not available: %.370s", why.text);
        return 0;
    }
    out->available = true;
    out->n_tpus = cores();
    (void)snprintf(out->detail, sizeof out->detail,
                   "TFLite runtime %s on %u cores, in real time (%.300s)",
                   atoll_runtime_version(rt), out->n_tpus, atoll_runtime_path(rt));
    return 0;
}

static int cpu_open(const struct atoll_device_opts *o, struct atoll_device **d,
                    struct atoll_err *err)
{
    const struct atoll_runtime *rt = NULL;
    int rc = atoll_runtime_open(NULL, &rt, err);
    if (rc != 0) {
        return rc;
    }
    struct atoll__host *h = atoll_calloc(1, sizeof *h);
    if (h == NULL) {
        return atoll_fail_nomem(err, "a device", sizeof *h);
    }
    h->rt = rt;
    h->kernels = ATOLL_KERNELS_XNNPACK; /* until an interpreter says otherwise */
    const char *kernels = getenv("ATOLL_KERNELS");
    if (kernels != NULL && kernels[0] != '\0') {
        rc = atoll_kernels_parse(kernels, &h->kernels, err);
    }
    rc = rc ? rc
            : atoll__host_init(h, &atoll__device_cpu, &kind,
                               o->board != NULL ? o->board->n_tpus : cores(), err);
    if (rc != 0) {
        atoll__host_close(&h->base);
        return rc;
    }
    name_version(h);
    *d = &h->base;
    return 0;
}

static void cpu_info(const struct atoll_device *d, struct atoll_device_info *out)
{
    const struct atoll__host *h = (const struct atoll__host *)(const void *)d;
    *out = (struct atoll_device_info){.driver = "cpu",
                                      .version = h->version,
                                      .origin = ATOLL_ORIGIN_MEASURED,
                                      .n_tpus = h->n_tpus,
                                      .moves_data = true,
                                      .kernels = atoll_kernels_name(h->kernels)};
}

const struct atoll_driver atoll__device_cpu = {
    .name = "cpu",
    .list = cpu_list,
    .open = cpu_open,
    .close = atoll__host_close,
    .info = cpu_info,
    .load = atoll__host_load,
    .begin = atoll__host_begin,
    .submit = atoll__host_submit,
    .timer = atoll__host_timer,
    .next = atoll__host_next,
    .now_ns = atoll__host_now_ns,
    .idle_until = atoll__host_idle_until,
    .tpu = atoll__host_tpu,
};
