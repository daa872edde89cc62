/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer's insides: private to train_dnnl.c (memory, parameters, passes) and train_dnnl_ops.c
 * (which primitives an operation becomes), the two files that call oneDNN. */
#ifndef ATOLL_TRAIN_DNNL_H
#define ATOLL_TRAIN_DNNL_H

#include "train_depthwise.h"
#include "train_internal.h"

#include <oneapi/dnnl/dnnl.h>

/* A tensor in some layout. `data` belongs to the trainer. */
struct slab {
    dnnl_memory_desc_t md;
    dnnl_memory_t mem;
    float *data;
    size_t n; /* floats, padding counted */
};

struct param {
    uint32_t node;
    enum atoll_param_role role;
    size_t n;                 /* numbers without padding */
    dnnl_memory_desc_t plain; /* layout in which they are read and written */
    struct slab value, grad, momentum;
};

struct step {                   /* one call of a primitive, or of a kernel of ours */
    struct depthwise *own;      /* then borrowed from `buffers`; NULL: the primitive */
    dnnl_primitive_t primitive; /* borrowed from `primitives` */
    dnnl_exec_arg_t args[10];
    int n_args;
};
struct step_list {
    struct step *steps;
    size_t n, cap;
};

struct node_state {
    struct slab dst, diff;
    struct slab mean, variance, workspace; /* of the batch; of max pooling, norm with relu */
    dnnl_primitive_desc_t forward;         /* hint for the backward primitives; borrowed */
    struct slab source;                    /* source in the layout that the kernel wants */
    uint32_t readers;
    bool has_diff; /* a reader has written the gradient */
    int32_t weight, bias, scale, shift, run_mean, run_variance; /* parameters, -1: none */
};

struct atoll_trainer {
    const struct atoll_net *net;
    uint32_t batch;
    unsigned threads;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct node_state *nodes;
    struct param *params;
    uint32_t n_params;
    size_t cap_params;
    struct step_list evaluate, train, backward;
    struct slab logits, logits_grad; /* [batch, classes], plain */
    float *spare;                    /* a second gradient on its way to be added */
    size_t spare_floats;
    /* owned, freed at the end */
    void **buffers;
    dnnl_memory_t *memories;
    dnnl_primitive_t *primitives;
    dnnl_primitive_desc_t *descs;
    size_t n_buffers, n_memories, n_primitives, n_descs;
    size_t cap_buffers, cap_memories, cap_primitives, cap_descs;
};

#define DNNL_DO(call, what)                                                                        \
    do {                                                                                           \
        const dnnl_status_t status_ = (call);                                                      \
        if (status_ != dnnl_success) {                                                             \
            return atoll__dnnl_fail(err, status_, what);                                           \
        }                                                                                          \
    } while (0)
#define TRY(call)                                                                                  \
    do {                                                                                           \
        const int rc_ = (call);                                                                    \
        if (rc_ != 0) {                                                                            \
            return rc_;                                                                            \
        }                                                                                          \
    } while (0)

int atoll__dnnl_fail(struct atoll_err *err, dnnl_status_t status, const char *what);
/* A zeroed, aligned buffer. */
int atoll__dnnl_buffer(struct atoll_trainer *t, size_t floats, float **data, struct atoll_err *err);
/* A tensor of its own memory, or in `data`. */
int atoll__dnnl_slab(struct atoll_trainer *t, const dnnl_memory_desc_t *md, struct slab *s,
                     struct atoll_err *err);
int atoll__dnnl_slab_in(struct atoll_trainer *t, const dnnl_memory_desc_t *md, float *data,
                        struct slab *s, struct atoll_err *err);
int atoll__dnnl_desc(struct atoll_trainer *t, const void *op, dnnl_primitive_desc_t hint,
                     const char *what, dnnl_primitive_desc_t *pd, struct atoll_err *err);
/* Makes the primitive of `pd` (owned by the trainer) and appends its call to the list. */
int atoll__dnnl_step(struct atoll_trainer *t, struct step_list *list, dnnl_primitive_desc_t pd,
                     const dnnl_exec_arg_t *args, int n_args, struct atoll_err *err);
/* Appends a copy from one layout to the other. */
int atoll__dnnl_reorder(struct atoll_trainer *t, struct step_list *list, const struct slab *from,
                        const struct slab *to, struct atoll_err *err);
int atoll__dnnl_param(struct atoll_trainer *t, uint32_t node, enum atoll_param_role role,
                      const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *layout,
                      int32_t *index, struct atoll_err *err);

/* Appends a call of our own kernel, with the memory of its description (zeroed). */
int atoll__dnnl_own_step(struct atoll_trainer *t, struct step_list *list, struct depthwise **d,
                         struct atoll_err *err);

/* Append the calls of node i. */
int atoll__dnnl_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err);
int atoll__dnnl_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err);

#endif
