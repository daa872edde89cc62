/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the evaluation: workers that share the images of a set, and what each task keeps. */
#ifndef ATOLL_EVAL_INTERNAL_H
#define ATOLL_EVAL_INTERNAL_H

#include "nn_internal.h"

#include <pthread.h>
#include <stdatomic.h>

struct atoll__eval_run;
/* One worker: an interpreter and its scratch. */
struct atoll__eval_worker {
    struct atoll_interp *it;
    struct atoll_image image, scaled, mask;
    uint64_t *confusion; /* segmentation: of this worker's images */
};
struct atoll__eval_answer {
    uint32_t label, answer; /* of the set; n_classes: a class that the set has not */
};
/* Detections of one image. */
struct atoll__eval_found {
    struct atoll_detection *v;
    size_t n;
};
struct atoll__eval_run {
    const struct atoll_eval_request *q;
    struct atoll_dataset_info info;
    struct atoll_eval *out;
    size_t n;
    bool has_state;
    struct atoll__eval_worker *workers;
    unsigned n_workers;
    atomic_size_t next;
    atomic_bool stop;
    pthread_mutex_t lock; /* of what follows */
    size_t done, failed_at;
    int failed;
    struct atoll_err first; /* of the failure with the lowest image number */
    size_t bad_at;          /* image of out->bad_first */
    /* by image */
    struct atoll__eval_answer *answers; /* classification */
    double *shares;                     /* segmentation: equal pixels; NAN: bad */
    struct atoll__eval_found *found;    /* detection */
};

/* What a task does: refuses a model that does not fit, keeps what an inference gave, sums up. */
struct atoll__eval_task {
    int (*prepare)(struct atoll__eval_run *r, struct atoll_err *err);
    int (*keep)(struct atoll__eval_run *r, struct atoll__eval_worker *w, size_t image,
                uint32_t label, struct atoll_err *err);
    int (*sum_up)(struct atoll__eval_run *r, struct atoll_err *err);
};
extern const struct atoll__eval_task atoll__eval_classify, atoll__eval_segment, atoll__eval_detect;

/* The truth's share of correct[i] for images that did not count. */
static inline bool atoll__eval_is_bad(const struct atoll__eval_run *r, size_t image)
{
    return (r->out->correct[image] & ATOLL__EVAL_BAD) != 0;
}

#endif
