/* SPDX-License-Identifier: Apache-2.0 */
/* Private to driver `edgetpu`. Interface of libedgetpu: edgetpu_c.h of its sources. */
#ifndef ATOLL_EDGETPU_INTERNAL_H
#define ATOLL_EDGETPU_INTERNAL_H

#include "edgetpu_wrap.h"
#include "host_internal.h"

struct atoll__edgetpu_found { /* struct edgetpu_device */
    int type;                 /* 0 PCIe, 1 USB */
    const char *path;
};
/* The library's functions: X(result, name, arguments). */
#define ATOLL__EDGETPU_SYMBOLS(X)                                                                  \
    X(struct atoll__edgetpu_found *, edgetpu_list_devices, (size_t *))                             \
    X(void, edgetpu_free_devices, (struct atoll__edgetpu_found *))                                 \
    X(struct atoll__tfl_delegate *, edgetpu_create_delegate,                                       \
      (int, const char *, const void *, size_t))                                                   \
    X(void, edgetpu_free_delegate, (struct atoll__tfl_delegate *))                                 \
    X(const char *, edgetpu_version, (void))

/* One TPU: its place, its lock, its delegate once something is loaded. */
struct atoll__edgetpu_tpu {
    char path[128];
    int type, lock; /* lock: file, -1 none */
    struct atoll__tfl_delegate *theirs, ours;
};
/* Memory of a compiled segment, kept while its interpreter lives. */
struct atoll__edgetpu_code {
    uint8_t *bytes;
    struct atoll_model *model;
    struct atoll__edgetpu_code *next;
};
struct atoll__edgetpu {
    void *library;
#define ATOLL__EDGETPU_MEMBER(result, name, arguments) result(*name) arguments;
    ATOLL__EDGETPU_SYMBOLS(ATOLL__EDGETPU_MEMBER)
#undef ATOLL__EDGETPU_MEMBER
    struct atoll__edgetpu_tpu tpus[ATOLL_TPUS_MAX];
    uint32_t n_tpus;
    struct atoll__edgetpu_code *codes;
    char version[200];
};

/* The segment compiled; *bytes (atoll_free) must outlive *out (atoll_model_close). */
int atoll__edgetpu_compile(const struct atoll_model *m, uint8_t **bytes, struct atoll_model **out,
                           struct atoll_err *err);

#endif
