/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file train.h
 * Room `nn`, training part: float networks described in yaml or taken from a model, trained on a
 * data set with oneDNN's kernels, written as float and as int8 .tflite (docs/method-training.md).
 *
 * Built with libdnnl-dev (option `train`). Without it networks can still be read, and
 * atoll_trainer_open and atoll_train_run say which package is missing (ATOLL_EUNSUPPORTED).
 */
#ifndef ATOLL_TRAIN_H
#define ATOLL_TRAIN_H

#include <atoll/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ network */

enum atoll_net_op {
    ATOLL_NET_INPUT, ///< node 0, and only that
    ATOLL_NET_CONV,  ///< also grouped and depthwise (groups = channels of the source)
    ATOLL_NET_DENSE, ///< over all of the source's height, width and channels
    ATOLL_NET_BATCH_NORM,
    ATOLL_NET_RELU,
    ATOLL_NET_RELU6,
    ATOLL_NET_MAX_POOL,
    ATOLL_NET_AVG_POOL,    ///< padding is not counted in the mean
    ATOLL_NET_GLOBAL_POOL, ///< mean over height and width
    ATOLL_NET_ADD,         ///< of two tensors of one shape
    ATOLL_NET_CONCAT,      ///< of channels
    ATOLL_NET_PAD,         ///< zeros around height and width
};
ATOLL_API const char *atoll_net_op_name(enum atoll_net_op op); ///< "conv", as in yaml

#define ATOLL_NET_NODES_MAX 10000u
#define ATOLL_NET_SIDE_MAX 4096 ///< height, width, kernel
#define ATOLL_NET_CHANNELS_MAX 65536

/** One operation; its output is the node's tensor [height, width, channels] (dense: 1 x 1). */
struct atoll_net_node {
    enum atoll_net_op op;
    const char *name;   ///< unique; made up when NULL or ""
    const uint32_t *in; ///< nodes it reads, all before it
    uint32_t n_in;
    int32_t channels;           ///< of the output: given for input, conv, dense; else computed
    int32_t height, width;      ///< of the output: given for the input; else computed
    int32_t kernel_h, kernel_w; ///< conv, pools
    int32_t stride_h, stride_w; ///< conv, pools; 0 is read as 1
    int32_t groups;             ///< conv; 0 is read as 1
    enum atoll_padding padding; ///< conv, pools: as in TFLite
    bool bias;                  ///< conv, dense
    int32_t pad[4];             ///< pad: top, bottom, left, right
};
/** Read-only for all but its functions; the last node gives one score (logit) a class. */
struct atoll_net {
    const char *name;
    struct atoll_net_node *nodes;
    uint32_t n_nodes;
    size_t cap;               ///< private
    struct atoll_arena arena; ///< private
};
/** An empty network but for its input. */
ATOLL_API int atoll_net_create(const char *name, int32_t height, int32_t width, int32_t channels,
                               struct atoll_net **net, struct atoll_err *err);
/** Appends a copy of `node`, computes and checks its shape; *index (may be NULL) is its number.
 *  ATOLL_EINPUT: sizes that do not fit; ATOLL_ELIMIT. */
ATOLL_API int atoll_net_add(struct atoll_net *net, const struct atoll_net_node *node,
                            uint32_t *index, struct atoll_err *err);
ATOLL_API void atoll_net_close(struct atoll_net **net);
/** Reads a yaml description (docs/method-training.md; share/networks/). */
ATOLL_API int atoll_net_open(const char *path, struct atoll_net **net, struct atoll_err *err);
ATOLL_API int atoll_net_parse(const char *name, const void *bytes, size_t n, struct atoll_net **net,
                              struct atoll_err *err);
/** The structure of a classifier (a zoo network): weights are not taken over, each convolution
 *  gets a batch norm, the final softmax is left to the loss. ATOLL_EUNSUPPORTED names the operator
 *  that cannot be trained here. */
ATOLL_API int atoll_net_from_model(const struct atoll_model *m, struct atoll_net **net,
                                   struct atoll_err *err);
ATOLL_API uint32_t atoll_net_classes(const struct atoll_net *net);
ATOLL_API uint64_t atoll_net_parameters(const struct atoll_net *net); ///< trained numbers

/* ------------------------------------------------------------------ trainer */

struct atoll_trainer_opts {
    uint32_t batch;   ///< images a step, 1..4096
    unsigned threads; ///< of the kernels; part of what a result depends on. 0: 1
    uint64_t seed;    ///< of the first weights
};
/** A network with weights, ready to step. One thread uses it at a time. Borrows the net. */
struct atoll_trainer;
ATOLL_API int atoll_trainer_open(const struct atoll_net *net, const struct atoll_trainer_opts *o,
                                 struct atoll_trainer **t, struct atoll_err *err);
ATOLL_API void atoll_trainer_close(struct atoll_trainer **t);
/** Images of the batch, [batch, channels, height, width]. */
ATOLL_API float *atoll_trainer_input(struct atoll_trainer *t);
/** Logits of the last forward pass and what backward takes as their gradient: [batch, classes]. */
ATOLL_API const float *atoll_trainer_logits(const struct atoll_trainer *t);
ATOLL_API float *atoll_trainer_logits_grad(struct atoll_trainer *t);
/** `training`: batch norm by the batch, running means updated (momentum 0.1); else by the running
 *  ones. */
ATOLL_API int atoll_trainer_forward(struct atoll_trainer *t, bool training, struct atoll_err *err);
/** Gradients of all weights after a training forward pass. */
ATOLL_API int atoll_trainer_backward(struct atoll_trainer *t, struct atoll_err *err);
/** SGD: m = momentum * m + g + decay * w (decay: weights of conv and dense only); w -= rate * m. */
ATOLL_API void atoll_trainer_update(struct atoll_trainer *t, float rate, float momentum,
                                    float decay);
/** Least and largest value of a node's tensor in the last pass (0 counts as present). A relu that
 *  is computed in place shares its source's tensor. */
ATOLL_API void atoll_trainer_range(const struct atoll_trainer *t, uint32_t node, float *low,
                                   float *high);

enum atoll_param_role {
    ATOLL_PARAM_WEIGHT, ///< [out, in / groups, kernel_h, kernel_w]
    ATOLL_PARAM_BIAS,
    ATOLL_PARAM_SCALE, ///< batch norm: gamma
    ATOLL_PARAM_SHIFT, ///< beta
    ATOLL_PARAM_MEAN,  ///< running; not trained
    ATOLL_PARAM_VARIANCE,
};
enum atoll_param_what { ATOLL_PARAM_VALUE, ATOLL_PARAM_GRADIENT, ATOLL_PARAM_MOMENTUM };
struct atoll_param {
    uint32_t node;
    enum atoll_param_role role;
    size_t n; ///< numbers
};
ATOLL_API uint32_t atoll_trainer_params(const struct atoll_trainer *t);
ATOLL_API struct atoll_param atoll_trainer_param(const struct atoll_trainer *t, uint32_t param);
/** Copies a parameter out or in, plain order, `n` numbers. GRADIENT and MOMENTUM of a running mean
 *  or variance are refused. */
ATOLL_API int atoll_trainer_read(struct atoll_trainer *t, uint32_t param,
                                 enum atoll_param_what what, float *out, struct atoll_err *err);
ATOLL_API int atoll_trainer_write(struct atoll_trainer *t, uint32_t param,
                                  enum atoll_param_what what, const float *in,
                                  struct atoll_err *err);
/** Version and instruction set of the kernels, e.g. "oneDNN 2.6.3, AVX2"; "" without training. */
ATOLL_API const char *atoll_trainer_kernels(void);

/* --------------------------------------------------------------------- loss */

/** Mean softmax cross-entropy of a batch. Target: 1 - smoothing + smoothing / classes on the label,
 *  smoothing / classes elsewhere. With `teacher` (logits, same layout) the loss is
 *  (1 - weight) * cross-entropy + weight * T^2 * KL(teacher || net), both softened by T (Hinton,
 *  Vinyals, Dean 2015). */
struct atoll_loss_opts {
    double smoothing;     ///< [0, 1)
    const float *teacher; ///< NULL: none
    double temperature;   ///< T > 0
    double weight;        ///< [0, 1]
};
/** Loss, how many first answers are right (correct, may be NULL), gradient (may be NULL). Only the
 *  first `n` rows count. */
ATOLL_API double atoll_loss(const float *logits, const uint32_t *labels, uint32_t n,
                            uint32_t classes, const struct atoll_loss_opts *o, uint32_t *correct,
                            float *grad);

/* ------------------------------------------------------------------ writing */

/** Float model with batch norm folded, softmax at the end. Outputs in the TFLite runtime differ
 *  from the trainer's own softmax by at most 1e-4. */
ATOLL_API int atoll_trainer_export(struct atoll_trainer *t, struct atoll_model **m,
                                   struct atoll_err *err);
/** Ranges of every node by plain min-max over images: n_nodes of each, owned by the caller. */
struct atoll_ranges {
    float *low, *high;
    uint32_t n;
};
ATOLL_API void atoll_ranges_finish(struct atoll_ranges *r);
/** Post-training int8: weights symmetric, per output channel (dense: per tensor), activations per
 *  tensor from the ranges, biases int32. */
ATOLL_API int atoll_trainer_export_int8(struct atoll_trainer *t, const struct atoll_ranges *r,
                                        struct atoll_model **m, struct atoll_err *err);
/** Runs the first `count` training images, as they are, through the network. */
ATOLL_API int atoll_trainer_calibrate(struct atoll_trainer *t, const struct atoll_dataset *d,
                                      size_t count, struct atoll_ranges *r, struct atoll_err *err);

/* ----------------------------------------------------------------- training */

enum atoll_schedule { ATOLL_SCHEDULE_COSINE, ATOLL_SCHEDULE_STEP };
/** How to train. */
struct atoll_recipe {
    uint32_t epochs, batch;
    double rate, momentum, weight_decay;
    enum atoll_schedule schedule;
    double warm_up_frac; ///< of all steps, linear from 0
    double step_frac[8]; ///< step: shares of all steps at which the rate is multiplied
    uint32_t n_steps;
    double step_factor;
    double label_smoothing;
    bool flip;          ///< left-right, every second image
    uint32_t shift;     ///< pixels, uniform in -shift..shift on both axes, filled with 0
    char teacher[1024]; ///< path of a .tflite; "": none
    double temperature, teacher_weight;
};
/** 12 epochs, batch 64, rate 0.1, momentum 0.9, decay 5e-4, cosine with 5 % warm-up, flip. */
ATOLL_API struct atoll_recipe atoll_recipe_default(void);
/** Reads a yaml recipe over the defaults; the teacher's path is relative to it. */
ATOLL_API int atoll_recipe_open(const char *path, struct atoll_recipe *r, struct atoll_err *err);
/** Learning rate of a step (0-based) of `steps`. */
ATOLL_API double atoll_recipe_rate(const struct atoll_recipe *r, uint64_t step, uint64_t steps);

struct atoll_train_request {
    const struct atoll_net *net;
    const struct atoll_dataset *data; ///< classification; parts train, validation and test
    struct atoll_recipe recipe;
    const struct atoll_runtime *rt; ///< for a teacher; NULL without one
    uint64_t seed;
    unsigned threads;     ///< of the kernels; 0: the faster of one and all cores, by three timed
                          ///< steps, or that of the checkpoint it goes on from
    size_t limit;         ///< only the first so many training images; 0: all
    uint32_t stop_after;  ///< epochs of this call, 0: all; the schedule stays that of all
    const char *dir;      ///< made when missing; receives what the contract names. NULL: no files
    bool resume;          ///< go on from DIR/checkpoint when there is one
    bool discard;         ///< with resume: a checkpoint of another run, or a damaged one, is
                          ///< written over (and named in the log) instead of refused
    uint32_t calibration; ///< images for model_int8.tflite; 0: none written
    struct atoll_progress progress; ///< `what` says epoch, loss, accuracy
};
struct atoll_epoch {
    double rate, loss, accuracy_frac; ///< training: rate of the last step, means over the epoch
    double validation_loss, validation_accuracy_frac; ///< NAN without validation images
    double seconds;
};
struct atoll_train_result {
    struct atoll_epoch *epochs; ///< owned; of earlier calls too
    uint32_t n_epochs;
    uint64_t n_bad;   ///< images left out (set opened with skip_bad), each named in the log
    uint32_t resumed; ///< of them from the checkpoint
    uint64_t images_test, correct_test; ///< first answers, float network
    double seconds;                     ///< of training in this call
    uint64_t parameters;
    unsigned threads;
    char key[65]; ///< of the run: network, recipe, images, seed, threads, version
    char model_sha256[65], int8_sha256[65]; ///< of the files written; "": not written
    char weights_sha256[65]; ///< of all parameters: same seed, threads and machine, same hash
};
/** Trains. ATOLL_EINPUT: label/class mismatch, a checkpoint of another run, a bad image, a loss
 *  that is not a number (with epoch and step); ATOLL_ENO: asked to stop (the checkpoint of the last
 *  whole epoch stays). */
ATOLL_API int atoll_train_run(const struct atoll_train_request *q, struct atoll_train_result *out,
                              struct atoll_err *err);
ATOLL_API void atoll_train_result_finish(struct atoll_train_result *r);

#ifdef __cplusplus
}
#endif
#endif
