/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file nn.h
 * Room `nn`, running part: a network on the host through a real TFLite runtime, which is loaded
 * when it is first needed; and what its outputs are worth: accuracy with its uncertainty. (Training
 * has a header of its own: train.h.)
 *
 * A model goes to the runtime only after atoll's own reader has accepted it and after further
 * checks against the crashes of that runtime (docs/method-accuracy.md).
 */
#ifndef ATOLL_NN_H
#define ATOLL_NN_H

#include <atoll/data.h>
#include <atoll/json.h>
#include <atoll/model.h>
#include <atoll/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ runtime */

/** The library libtensorflowlite_c.so, loaded. Stays loaded until the process ends, so closing is
 *  not needed; the same path gives the same runtime. */
struct atoll_runtime;
/** Loads it. Looked for in this order: `path`, $ATOLL_TFLITE (each, when given, alone), then
 *  runtime/ beside the command, build/runtime/ of the source tree, the library directory of the
 *  installation, the loader's own places; names libtensorflowlite_c.so, then libLiteRt.so. Accepted
 *  only with the symbols of the C interface. ATOLL_EDEVICE: what was tried, why each was refused,
 *  and how to get it. Thread-safe. */
ATOLL_API int atoll_runtime_open(const char *path, const struct atoll_runtime **rt,
                                 struct atoll_err *err);
ATOLL_API const char *atoll_runtime_version(const struct atoll_runtime *rt); ///< "2.17.1"
ATOLL_API const char *atoll_runtime_path(const struct atoll_runtime *rt);

/** Which kernels compute; they differ by a few units in the last place of a quantized output, so
 *  every result says which. */
enum atoll_kernels {
    ATOLL_KERNELS_XNNPACK, ///< the default: faster, and the same bytes on x86-64 and aarch64
    ATOLL_KERNELS_BUILTIN,
};
ATOLL_API const char *atoll_kernels_name(enum atoll_kernels k); ///< "xnnpack", "builtin"
ATOLL_API int atoll_kernels_parse(const char *text, enum atoll_kernels *k, struct atoll_err *err);

/* -------------------------------------------------------------- interpreter */

/** One copy of a network ready to run. Any number at once; each is used by one thread at a time. */
struct atoll_interp;
struct atoll_interp_opts {
    enum atoll_kernels kernels;
    unsigned threads; ///< 0: 1. More than 1 pays only with XNNPACK on a quiet machine
    void *delegate;   ///< a TfLiteDelegate of another library, added first; NULL. Must outlive it
};
/** Checks, serialises when the model is a built one, and prepares. Borrows `m` until closed.
 *  ATOLL_EUNSUPPORTED: names the custom operator that the runtime does not know; ATOLL_EINPUT: what
 *  the checks or the runtime found; `opts` may be NULL. */
ATOLL_API int atoll_interp_open(const struct atoll_runtime *rt, const struct atoll_model *m,
                                const struct atoll_interp_opts *opts, struct atoll_interp **it,
                                struct atoll_err *err);
ATOLL_API void atoll_interp_close(struct atoll_interp **it);
/** The kernel set really in use (BUILTIN where XNNPACK could not start; logged). */
ATOLL_API enum atoll_kernels atoll_interp_kernels(const struct atoll_interp *it);

struct atoll_interp_tensor {
    const char *name;
    enum atoll_type type;
    int32_t rank;
    int32_t shape[ATOLL_RANK_MAX];
    size_t bytes;
    void *data;  ///< the runtime's own buffer, 64-byte aligned; write inputs, read outputs
    float scale; ///< real = scale * (q - zero_point); 0: not quantized
    int32_t zero_point;
};
/** In the order of the model's inputs and outputs; valid until closed. */
ATOLL_API const struct atoll_interp_tensor *atoll_interp_inputs(const struct atoll_interp *it,
                                                                uint32_t *n);
ATOLL_API const struct atoll_interp_tensor *atoll_interp_outputs(const struct atoll_interp *it,
                                                                 uint32_t *n);
/** One inference from the input buffers to the output buffers. */
ATOLL_API int atoll_interp_invoke(struct atoll_interp *it, struct atoll_err *err);
/** `count` inferences whose results are not looked at; state is reset afterwards. */
ATOLL_API int atoll_interp_warm_up(struct atoll_interp *it, unsigned count, struct atoll_err *err);
/** State of recurrent networks back to zero (done once at open). */
ATOLL_API int atoll_interp_reset(struct atoll_interp *it, struct atoll_err *err);

/** Opens the model and runs it once on zeros in a child process, since a file from elsewhere may
 *  crash the runtime where our checks have no eyes. ATOLL_EINPUT: it crashed, or took over 120 s;
 *  else what open and invoke say. For files, before the process starts threads: the child has only
 *  the caller's. Costs one start and one inference. */
ATOLL_API int atoll_interp_try(const struct atoll_runtime *rt, const struct atoll_model *m,
                               const struct atoll_interp_opts *opts, struct atoll_err *err);

/** What atoll asks of a model beyond its reader, before the runtime sees it: scales positive and
 *  finite, zero points in their type's range, operators with the tensors that the runtime's kernels
 *  take for granted, tensors and their sum below 2 GiB. ATOLL_EINPUT or ATOLL_ELIMIT. */
ATOLL_API int atoll_runtime_check(const struct atoll_model *m, struct atoll_err *err);

/* ------------------------------------------------------------ images, scores */

/** Fills an input tensor [1, H, W, C] (or [1, H, W]) of float32, uint8 or int8 with an image.
 *  With `normalize`: (pixel - mean) / std, then quantized with the tensor's scale. Without: the
 *  pixel itself for uint8, pixel - 128 for int8, pixel / 255 for float32. `scratch` keeps a buffer
 *  between calls. ATOLL_EUNSUPPORTED: another type or shape. */
ATOLL_API int atoll_interp_put_image(const struct atoll_interp_tensor *t,
                                     const struct atoll_preprocess *p,
                                     const struct atoll_image *image, struct atoll_image *scratch,
                                     struct atoll_err *err);
/** Number of elements of a tensor. */
ATOLL_API size_t atoll_interp_elements(const struct atoll_interp_tensor *t);
/** Element `i` as a real number (de-quantized); NAN for a type that has none. */
ATOLL_API double atoll_interp_real(const struct atoll_interp_tensor *t, size_t i);
/** The k best classes of a score tensor, best first, the lower class among equals. Returns how
 *  many were written (fewer when there are fewer classes). */
struct atoll_top {
    uint32_t class_index;
    double score;
};
ATOLL_API uint32_t atoll_interp_top(const struct atoll_interp_tensor *t, uint32_t k,
                                    struct atoll_top *top);

/* ---------------------------------------------------------------- evaluation */

struct atoll_eval_request {
    const struct atoll_runtime *rt;
    const struct atoll_model *model;
    const struct atoll_dataset *data;
    enum atoll_part part; ///< ATOLL_PART_TEST
    size_t limit;         ///< first so many images; 0: all
    enum atoll_kernels kernels;
    unsigned threads; ///< workers, one interpreter each; 0: all cores
    struct atoll_progress progress;
};
/** Classification. Owned; atoll_eval_finish. Indices of classes are the data set's labels. */
struct atoll_eval {
    enum atoll_task task;
    uint64_t images;     ///< counted
    uint64_t n_bad;      ///< corrupt ones left out (skip_bad)
    char bad_first[512]; ///< sentence about the first
    uint32_t n_classes;
    struct atoll_interval top1, top5; ///< with Wilson intervals; classification
    uint8_t *correct; ///< by image of the part up to the limit: bit 0 first, bit 1 among
                      ///< the first five, bit 7 not counted (bad)
    size_t n_correct;
    uint64_t
        *confusion; ///< classification: [label * (n_classes + 1) + answer], the last column for
                    ///< a class that the set has not; segmentation: pixels,
                    ///< [truth * n_classes + answer]
    /* segmentation */
    struct atoll_interval pixels; ///< share of equal pixels (interval over images: bootstrap)
    double mean_iou;
    double *iou; ///< by class; NAN: class in neither truth nor answers
    /* detection */
    double ap, ap50, ap75; ///< COCO: mean over IoU 0.50:0.05:0.95, at 0.50, at 0.75
    double *class_ap;      ///< by class; NAN: no truth of it
    /* how */
    double seconds, images_per_s; ///< from the first to the last image, start-up apart
    enum atoll_kernels kernels;
    unsigned threads;
};
/** Runs the set through the model on all cores. The answer does not depend on the number of
 *  threads. ATOLL_EINPUT: the model's classes and the set's do not meet, or a bad image. */
ATOLL_API int atoll_eval_run(const struct atoll_eval_request *q, struct atoll_eval *out,
                             struct atoll_err *err);
ATOLL_API void atoll_eval_finish(struct atoll_eval *e);

/** Two models on the same images. */
struct atoll_eval_pair {
    uint64_t both, only_a, only_b, neither; ///< images with the right first answer
    struct atoll_interval difference;       ///< top-1 of A minus B, paired 95 % interval (Newcombe
                                            ///< 1998, method 10)
    double p;                               ///< McNemar's test, exact binomial, two-sided
};
/** ATOLL_EUSAGE: not the same number of images. */
ATOLL_API int atoll_eval_compare(const struct atoll_eval *a, const struct atoll_eval *b,
                                 struct atoll_eval_pair *out, struct atoll_err *err);
/** Exact two-sided McNemar test on the discordant counts; 1 when both are 0. */
ATOLL_API double atoll_mcnemar_pvalue(uint64_t only_a, uint64_t only_b);

/** Intersection over union from a confusion matrix [truth * n + answer]; iou[n] (NAN where a class
 *  occurs in neither); returns the mean over the classes that occur. */
ATOLL_API double atoll_mean_iou(const uint64_t *confusion, uint32_t n, double *iou);

/** A detection: box in the truth's unit, class, score. */
struct atoll_detection {
    float y0, x0, y1, x1;
    uint32_t label;
    double score;
    size_t image;
};
/** COCO's average precision of one class at one IoU threshold: detections by score (ties in the
 *  order given), greedy matching with crowd boxes ignored, precision made monotone and read at 101
 *  recalls. `truth[i]` has n_truth[i] boxes of image i. At most 100 detections an image and class.
 *  NAN: no truth. ATOLL_ENOMEM. */
ATOLL_API int atoll_detection_ap(const struct atoll_detection *d, size_t n_d,
                                 const struct atoll_box *const *truth, const size_t *n_truth,
                                 size_t n_images, uint32_t label, double iou, double *ap,
                                 struct atoll_err *err);
ATOLL_API double atoll_box_iou(const struct atoll_box *a, const struct atoll_box *b);

#ifdef __cplusplus
}
#endif
#endif
