/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the training part of room `nn` and its tests. */
#ifndef ATOLL_TRAIN_INTERNAL_H
#define ATOLL_TRAIN_INTERNAL_H

#include <atoll/train.h>

/* Everything is read, something is trained, the last node gives scores. */
int atoll__net_check(const struct atoll_net *net, struct atoll_err *err);
/* Rows or columns of zeros before the source: TFLite's SAME puts the odd one behind. */
int32_t atoll__net_pad_before(int32_t in, int32_t out, int32_t kernel, int32_t stride,
                              enum atoll_padding padding);

/* The trainer's network. */
const struct atoll_net *atoll__trainer_net(const struct atoll_trainer *t);
uint32_t atoll__trainer_batch(const struct atoll_trainer *t);

/* Reads images of a part into the trainer's batch. Zero-initialise; atoll__feed_finish. */
struct atoll__feed {
    const struct atoll_dataset *data;
    struct atoll_dataset_info info; /* its n: without the bad ones */
    size_t *good[3];                /* by part, with skip_bad: images that can be read; NULL: all */
    uint64_t n_bad;                 /* left out by that */
    struct atoll_image image, scaled;
    int32_t height, width, channels;
    float table[3][256]; /* what the model's input holds for a pixel value, by channel */
};
struct atoll__augment { /* how one image is moved */
    bool flip;
    int32_t dx, dy; /* pixels to the right and down */
};
int atoll__feed_init(struct atoll__feed *f, const struct atoll_net *net,
                     const struct atoll_dataset *data, struct atoll_err *err);
void atoll__feed_finish(struct atoll__feed *f);
/* Writes image `index` as [channels, height, width] floats; the pixels that were used, [height,
 * width, channels], stay in f->scaled until the next call. Label as the model counts classes. */
int atoll__feed_image(struct atoll__feed *f, enum atoll_part part, size_t index,
                      const struct atoll__augment *a, float *out, uint32_t *label,
                      struct atoll_err *err);

/* Top-1 and mean loss of a part by the trainer's own evaluation pass. */
int atoll__train_evaluate(struct atoll_trainer *t, struct atoll__feed *f, enum atoll_part part,
                          uint64_t *correct, double *loss, struct atoll_err *err);

/* A teacher: a .tflite run on the same pixels. */
struct atoll__teacher;
int atoll__teacher_open(const struct atoll_runtime *rt, const char *path,
                        const struct atoll__feed *f, uint32_t classes, struct atoll__teacher **t,
                        struct atoll_err *err);
void atoll__teacher_close(struct atoll__teacher **t);
int atoll__teacher_logits(struct atoll__teacher *t, const struct atoll_image *pixels, float *out,
                          struct atoll_err *err);

/* A checkpoint: all parameters and momenta, and the epochs so far; `key` is the hash of all that a
 * run depends on. */
int atoll__checkpoint_write(const char *path, struct atoll_trainer *t, const char key[65],
                            const struct atoll_epoch *epochs, uint32_t n_epochs,
                            struct atoll_err *err);
/* *epochs owned (atoll_free). ATOLL_EINPUT: broken, or of another run. */
int atoll__checkpoint_read(const char *path, struct atoll_trainer *t, const char key[65],
                           struct atoll_epoch **epochs, uint32_t *n_epochs, struct atoll_err *err);
/* Is there a checkpoint with this key (whole or not)? */
bool atoll__checkpoint_is(const char *path, const char key[65]);

/* Hash of all that the weights of a run depend on, but for the machine: network, recipe, images,
 * seed, threads, version. */
int atoll__train_key(const struct atoll_train_request *q, const struct atoll__feed *feed,
                     uint64_t n_train, unsigned threads, char key[65], struct atoll_err *err);

/* The numbers of threads worth a try; returns how many. */
unsigned atoll__train_thread_choices(unsigned can[2]);
/* Times a few steps with each of the two. */
int atoll__train_faster(const struct atoll_net *net, uint32_t batch, uint64_t seed,
                        const unsigned can[2], unsigned *threads, struct atoll_err *err);

#endif
