/* SPDX-License-Identifier: Apache-2.0 */
/* A teacher for distillation: a float or int8 .tflite on the same augmented pixels. */
#include "train_internal.h"

#include <math.h>

struct atoll__teacher {
    struct atoll_model *model;
    struct atoll_interp *interp;
    struct atoll_preprocess preprocess;
    struct atoll_image scratch;
    uint32_t classes;
    bool softmax; /* its scores are probabilities: their logarithm serves as logit */
};

int atoll__teacher_open(const struct atoll_runtime *rt, const char *path,
                        const struct atoll__feed *f, uint32_t classes, struct atoll__teacher **out,
                        struct atoll_err *err)
{
    struct atoll__teacher *t = atoll_calloc(1, sizeof *t);
    if (t == NULL) {
        return atoll_fail_nomem(err, "a teacher", sizeof *t);
    }
    t->classes = classes;
    t->preprocess = f->info.preprocess;
    t->preprocess.bgr = false; /* the feed has ordered, cropped and scaled already */
    t->preprocess.rule = ATOLL_RESIZE_STRETCH;
    int rc = atoll_model_open(path, &t->model, err);
    rc = rc ? rc : atoll_interp_open(rt, t->model, NULL, &t->interp, err);
    if (rc == 0) {
        uint32_t n_in = 0, n_out = 0;
        (void)atoll_interp_inputs(t->interp, &n_in);
        const struct atoll_interp_tensor *o = atoll_interp_outputs(t->interp, &n_out);
        if (n_in != 1 || n_out != 1 || atoll_interp_elements(o) != classes) {
            rc =
                atoll_fail(err, ATOLL_EINPUT,
                           "teacher %s: %u inputs and %u outputs (1 and 1 with %u scores expected)",
                           path, n_in, n_out, classes);
        }
    }
    if (rc != 0) {
        atoll__teacher_close(&t);
        return rc;
    }
    t->softmax = t->model->ops[t->model->n_ops - 1].code == ATOLL_OP_SOFTMAX;
    *out = t;
    return 0;
}

void atoll__teacher_close(struct atoll__teacher **t)
{
    if (t == NULL || *t == NULL) {
        return;
    }
    atoll_interp_close(&(*t)->interp);
    atoll_model_close(&(*t)->model);
    atoll_image_finish(&(*t)->scratch);
    atoll_free(*t);
    *t = NULL;
}

int atoll__teacher_logits(struct atoll__teacher *t, const struct atoll_image *pixels, float *out,
                          struct atoll_err *err)
{
    uint32_t n = 0;
    int rc = atoll_interp_put_image(atoll_interp_inputs(t->interp, &n), &t->preprocess, pixels,
                                    &t->scratch, err);
    rc = rc ? rc : atoll_interp_invoke(t->interp, err);
    if (rc != 0) {
        return rc;
    }
    const struct atoll_interp_tensor *o = atoll_interp_outputs(t->interp, &n);
    /* A probability that an int8 tensor shows as 0 lies below half a step. */
    const double least = o->type == ATOLL_TYPE_FLOAT32 ? 1e-7 : 1.0 / 512;
    for (uint32_t c = 0; c < t->classes; c++) {
        const double v = atoll_interp_real(o, c);
        out[c] = (float)(t->softmax ? log(v > least ? v : least) : v);
    }
    return 0;
}
