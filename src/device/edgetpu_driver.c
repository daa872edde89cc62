/* SPDX-License-Identifier: Apache-2.0 */
/* Driver `edgetpu`: the workers of the host device with libedgetpu's delegate, one TPU each. The
 * library is loaded when the device is opened; without it the device is not available, and says
 * why.
 */
#include "edgetpu_internal.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static struct atoll__edgetpu *own_of(const struct atoll__host *h)
{
    return h->own;
}

/* -------------------------------------------------------------------- library */

static int load_library(struct atoll__edgetpu *e, struct atoll_err *err)
{
    const char *given = getenv("ATOLL_EDGETPU");
    const char *name = given != NULL && given[0] != '\0' ? given : "libedgetpu.so.1";
    e->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (e->library == NULL) {
        const char *why = dlerror();
        return atoll_fail(err, ATOLL_EDEVICE,
                          "not available: %s; install libedgetpu1-std or -max of coral.ai, or set "
                          "ATOLL_EDGETPU",
                          why != NULL ? why : name);
    }
#define LOAD(result, symbol, arguments)                                                            \
    {                                                                                              \
        void *address = dlsym(e->library, #symbol);                                                \
        memcpy(&e->symbol, &address, sizeof address);                                              \
        if (address == NULL) {                                                                     \
            return atoll_fail(err, ATOLL_EDEVICE, "not available: %s has no %s", name, #symbol);   \
        }                                                                                          \
    }
    ATOLL__EDGETPU_SYMBOLS(LOAD)
#undef LOAD
    return 0;
}

/* Two processes on one TPU crash each other: whoever holds the lock has it, by the process' number.
 */
static int lock_tpu(struct atoll__edgetpu_tpu *t, struct atoll_err *err)
{
    const char *tmp = getenv("TMPDIR");
    char path[400], name[128], owner[32] = "";
    (void)snprintf(name, sizeof name, "%s", t->path);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '/' ? '_' : *c;
    }
    (void)snprintf(path, sizeof path, "%.200s/atoll-tpu%s.lock", tmp != NULL ? tmp : "/tmp", name);
    t->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (t->lock < 0) {
        return atoll_fail(err, ATOLL_EDEVICE, "%s: the lock of %s cannot be opened", path, t->path);
    }
    if (flock(t->lock, LOCK_EX | LOCK_NB) != 0) {
        const ssize_t n = read(t->lock, owner, sizeof owner - 1);
        owner[n > 0 ? n : 0] = '\0';
        (void)close(t->lock);
        t->lock = -1;
        return atoll_fail(err, ATOLL_EDEVICE, "%s is in use by process %s", t->path,
                          owner[0] != '\0' ? owner : "(unknown)");
    }
    const int n = snprintf(owner, sizeof owner, "%ld", (long)getpid());
    const bool said = ftruncate(t->lock, 0) == 0 && write(t->lock, owner, (size_t)n) == n;
    return said ? 0 : atoll_fail(err, ATOLL_EIO, "%s cannot be written", path);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct atoll__edgetpu_tpu *)a)->path,
                  ((const struct atoll__edgetpu_tpu *)b)->path);
}

static int find_tpus(struct atoll__edgetpu *e, struct atoll_err *err)
{
    size_t n = 0;
    struct atoll__edgetpu_found *found = e->edgetpu_list_devices(&n);
    for (size_t i = 0; found != NULL && i < n && e->n_tpus < ATOLL_TPUS_MAX; i++) {
        struct atoll__edgetpu_tpu *t = &e->tpus[e->n_tpus];
        if (found[i].path != NULL && strlen(found[i].path) < sizeof t->path) {
            (void)snprintf(t->path, sizeof t->path, "%s", found[i].path);
            t->type = found[i].type;
            t->lock = -1;
            e->n_tpus++;
        }
    }
    if (found != NULL) {
        e->edgetpu_free_devices(found);
    }
    qsort(e->tpus, e->n_tpus, sizeof e->tpus[0], by_path);
    (void)snprintf(e->version, sizeof e->version, "%.190s", e->edgetpu_version());
    return e->n_tpus > 0 ? 0
                         : atoll_fail(err, ATOLL_EDEVICE,
                                      "not available: libedgetpu (%s) finds no Edge TPU; atoll "
                                      "devices shows what this machine has",
                                      e->version);
}

static void finish(struct atoll__edgetpu *e)
{
    while (e->codes != NULL) {
        struct atoll__edgetpu_code *c = e->codes;
        e->codes = c->next;
        atoll_model_close(&c->model);
        atoll_free(c->bytes);
        atoll_free(c);
    }
    for (uint32_t i = 0; i < e->n_tpus; i++) {
        if (e->tpus[i].theirs != NULL) {
            e->edgetpu_free_delegate(e->tpus[i].theirs);
        }
        if (e->tpus[i].lock >= 0) {
            (void)close(e->tpus[i].lock);
        }
    }
    if (e->library != NULL) {
        (void)dlclose(e->library);
    }
    atoll_free(e);
}

/* ------------------------------------------------------------- interpreters */

/* Always by path: without one the library hands out a device that is already open. */
static int open_tpu(struct atoll__edgetpu *e, struct atoll__edgetpu_tpu *t, struct atoll_err *err)
{
    if (t->theirs != NULL) {
        return 0;
    }
    const int rc = t->lock >= 0 ? 0 : lock_tpu(t, err);
    if (rc != 0) {
        return rc;
    }
    t->theirs = e->edgetpu_create_delegate(t->type, t->path, NULL, 0);
    if (t->theirs == NULL) {
        return atoll_fail(err, ATOLL_EDEVICE, "%s cannot be opened (libedgetpu %s)", t->path,
                          e->version);
    }
    atoll__edgetpu_wrap(&t->ours, t->theirs);
    return 0;
}

static int edgetpu_interp(struct atoll__host *h, uint32_t tpu, const struct atoll_model *m,
                          struct atoll_interp **it, struct atoll_err *err)
{
    struct atoll__edgetpu *e = own_of(h);
    struct atoll__edgetpu_code *c = atoll_calloc(1, sizeof *c);
    if (c == NULL) {
        return atoll_fail_nomem(err, "a compiled segment", sizeof *c);
    }
    c->next = e->codes; /* the device owns it from here, also after a failure */
    e->codes = c;
    int rc = atoll__edgetpu_compile(m, &c->bytes, &c->model, err);
    rc = rc ? rc : open_tpu(e, &e->tpus[tpu], err);
    const struct atoll_interp_opts o = {.kernels = h->kernels, .delegate = &e->tpus[tpu].ours};
    return rc ? rc : atoll_interp_open(h->rt, c->model, &o, it, err);
}

/* Each segment is compiled by itself here. */
static int edgetpu_load(struct atoll_device *d, uint32_t tpu, const struct atoll_device_segment *s,
                        uint32_t cache_group, uint32_t *slot, struct atoll_err *err)
{
    if (s->n_together > 1) {
        return atoll_fail(
            err, ATOLL_EUNSUPPORTED,
            "edgetpu: models compiled together cannot be run here: plan them on TPUs of "
            "their own, or run them on sim");
    }
    return atoll__host_load(d, tpu, s, cache_group, slot, err);
}

static void edgetpu_id(const struct atoll__host *h, uint32_t tpu, char out[64])
{
    const struct atoll__edgetpu_tpu *t = &own_of(h)->tpus[tpu];
    (void)snprintf(out, 64, "%s:%.55s", t->type == 0 ? "pcie" : "usb", t->path);
}

static void edgetpu_close(struct atoll__host *h)
{
    if (h->own != NULL) {
        finish(own_of(h));
    }
}

static const struct atoll__host_kind kind = {
    .interp = edgetpu_interp, .id = edgetpu_id, .close = edgetpu_close};

/* -------------------------------------------------------------------- driver */

static int open_library(struct atoll__edgetpu **out, struct atoll_err *err)
{
    struct atoll__edgetpu *e = atoll_calloc(1, sizeof *e);
    if (e == NULL) {
        return atoll_fail_nomem(err, "a device", sizeof *e);
    }
    int rc = load_library(e, err);
    rc = rc ? rc : find_tpus(e, err);
    if (rc != 0) {
        finish(e);
        return rc;
    }
    *out = e;
    return 0;
}

static int edgetpu_list(struct atoll_device_listing *out, struct atoll_err *err)
{
    struct atoll__edgetpu *e = NULL;
    const struct atoll_runtime *rt = NULL;
    struct atoll_err why = {0};
    (void)err;
    *out = (struct atoll_device_listing){.name = "edgetpu"};
    int rc = open_library(&e, &why);
    rc = rc ? rc : atoll_runtime_open(NULL, &rt, &why);
    if (rc == 0) {
        out->available = true;
        out->n_tpus = e->n_tpus;
        (void)snprintf(out->detail, sizeof out->detail, "libedgetpu %s on TFLite runtime %s",
                       e->version, atoll_runtime_version(rt));
    } else {
        (void)snprintf(out->detail, sizeof out->detail, "%.390s", why.text);
    }
    if (e != NULL) {
        finish(e);
    }
    return 0;
}

static int edgetpu_open(const struct atoll_device_opts *o, struct atoll_device **d,
                        struct atoll_err *err)
{
    struct atoll__edgetpu *e = NULL;
    const struct atoll_runtime *rt = NULL;
    (void)o;
    int rc = open_library(&e, err);
    rc = rc ? rc : atoll_runtime_open(NULL, &rt, err);
    struct atoll__host *h = rc == 0 ? atoll_calloc(1, sizeof *h) : NULL;
    if (h == NULL) {
        if (e != NULL) {
            finish(e);
        }
        return rc ? rc : atoll_fail_nomem(err, "a device", sizeof *h);
    }
    h->rt = rt;
    h->kernels = ATOLL_KERNELS_XNNPACK;
    h->own = e;
    rc = atoll__host_init(h, &atoll__device_edgetpu, &kind, e->n_tpus, err);
    if (rc != 0) {
        atoll__host_close(&h->base);
        return rc;
    }
    *d = &h->base;
    return 0;
}

static void edgetpu_info(const struct atoll_device *d, struct atoll_device_info *out)
{
    const struct atoll__host *h = (const struct atoll__host *)(const void *)d;
    *out = (struct atoll_device_info){.driver = "edgetpu",
                                      .version = own_of(h)->version,
                                      .origin = ATOLL_ORIGIN_MEASURED,
                                      .n_tpus = h->n_tpus,
                                      .moves_data = true,
                                      .kernels = "edgetpu"};
}

const struct atoll_driver atoll__device_edgetpu = {
    .name = "edgetpu",
    .list = edgetpu_list,
    .open = edgetpu_open,
    .close = atoll__host_close,
    .info = edgetpu_info,
    .load = edgetpu_load,
    .begin = atoll__host_begin,
    .submit = atoll__host_submit,
    .timer = atoll__host_timer,
    .next = atoll__host_next,
    .now_ns = atoll__host_now_ns,
    .idle_until = atoll__host_idle_until,
    .tpu = atoll__host_tpu,
};
