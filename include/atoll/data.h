/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file data.h
 * Room `data`: images and labelled sets of images, read from files or drawn, and the pre-processing
 * that a model wants of them.
 *
 * Pixels are 8-bit, row by row, channels together (H, W, C), red first. Every file is hostile: a
 * size or count that does not fit ends in a sentence with file, place, found, expected. Nothing is
 * left out silently: a bad image or archive is refused, or (with `skip_bad`) named and counted.
 */
#ifndef ATOLL_DATA_H
#define ATOLL_DATA_H

#include <atoll/yaml.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------- images */

#define ATOLL_IMAGE_SIDE_MAX 32768u       ///< pixels a side
#define ATOLL_IMAGE_PIXELS_MAX 100000000u ///< width * height

/** One image. Zero-initialise; atoll_image_finish. A reader reuses the buffer when it is given an
 *  image that has one. */
struct atoll_image {
    uint8_t *pixels;        ///< height * width * channels bytes, owned
    uint32_t width, height; ///< pixels
    uint32_t channels;      ///< 1 (grey, or class numbers of a mask) or 3 (red, green, blue)
    size_t capacity;        ///< private: bytes of the buffer
};
ATOLL_API void atoll_image_finish(struct atoll_image *image); ///< NULL and zeroed allowed

/** Gives the image these sizes and a buffer for them (content undefined). ATOLL_ELIMIT: too large;
 *  ATOLL_ENOMEM. */
ATOLL_API int atoll_image_resize(struct atoll_image *image, uint32_t width, uint32_t height,
                                 uint32_t channels, struct atoll_err *err);
/** Decodes a bmp (1, 4, 8, 24, 32 bit, not compressed), jpeg or png; the format is told by the
 *  content. Alpha is dropped. Grey files give 1 channel. `name` stands in errors. ATOLL_EINPUT:
 *  corrupt (also: cut short); ATOLL_EUNSUPPORTED, ATOLL_ELIMIT. */
ATOLL_API int atoll_image_parse(const char *name, const void *bytes, size_t n,
                                struct atoll_image *image, struct atoll_err *err);
ATOLL_API int atoll_image_open(const char *path, struct atoll_image *image, struct atoll_err *err);
/** A mask: the palette's numbers of a bmp or png with palette, or the grey values; 1 channel. */
ATOLL_API int atoll_mask_parse(const char *name, const void *bytes, size_t n,
                               struct atoll_image *mask, struct atoll_err *err);
ATOLL_API int atoll_mask_open(const char *path, struct atoll_image *mask, struct atoll_err *err);

/* ----------------------------------------------------------- pre-processing */

enum atoll_resize_rule {
    ATOLL_RESIZE_STRETCH, ///< to the model's input, aspect ratio not kept (the default)
    ATOLL_RESIZE_SHORT,   ///< shorter side to `short_side`, then a crop from the middle
    ATOLL_RESIZE_CROP,    ///< a crop from the middle of `crop_frac` of the sides, then stretch
};
enum atoll_resize_filter {
    ATOLL_FILTER_BILINEAR, ///< source = x * src / dst (libcoral, TFLite's plain RESIZE_BILINEAR)
    ATOLL_FILTER_CENTRE,   ///< bilinear between pixel centres: source = (x + 0.5) * src / dst - 0.5
    ATOLL_FILTER_AREA,     ///< mean over the covered pixels (for shrinking)
    ATOLL_FILTER_NEAREST,
};

/** What happens between an image and a model's input tensor. */
struct atoll_preprocess {
    enum atoll_resize_rule rule;
    enum atoll_resize_filter filter;
    uint32_t short_side; ///< of ATOLL_RESIZE_SHORT
    double crop_frac;    ///< of ATOLL_RESIZE_CROP, above 0 to 1 (Inception's 0.875)
    bool bgr;            ///< blue first
    bool normalize;      ///< real value = (pixel - mean) / std; else the pixel as it is (see nn.h)
    float mean[3], std[3]; ///< in pixel values 0..255, by channel of the image (red first)
};
ATOLL_API struct atoll_preprocess atoll_preprocess_default(void);
/** Resizes and crops to width x height, converts 1 <-> 3 channels (grey = Rec. 601 luma), orders
 *  channels. `out` keeps and reuses its buffer and may not be `in`. */
ATOLL_API int atoll_preprocess_pixels(const struct atoll_preprocess *p,
                                      const struct atoll_image *in, uint32_t width, uint32_t height,
                                      uint32_t channels, struct atoll_image *out,
                                      struct atoll_err *err);
/** Mean and deviation that belong to channel `c` of `channels` after `bgr` (grey: the mean of the
 *  three where they differ). */
ATOLL_API void atoll_preprocess_norm(const struct atoll_preprocess *p, uint32_t c,
                                     uint32_t channels, float *mean, float *std);

/* --------------------------------------------------------------------- sets */

enum atoll_part { ATOLL_PART_TRAIN, ATOLL_PART_VALIDATION, ATOLL_PART_TEST };
ATOLL_API const char *atoll_part_name(enum atoll_part p); ///< "train", "validation", "test"
enum atoll_task { ATOLL_TASK_CLASSIFY, ATOLL_TASK_SEGMENT, ATOLL_TASK_DETECT };
ATOLL_API const char *atoll_task_name(enum atoll_task t); ///< "classify", "segment", "detect"

struct atoll_data_opts {
    const char *base_dir;    ///< relative paths are taken from here; NULL: the working directory
    unsigned parts;          ///< bit mask 1 << enum atoll_part of what will be read; 0: all
    double validation_frac;  ///< share of the training files kept for validation, [0, 0.9]; < 0:
                             ///< the set's own (its yaml file's, else 0.05)
    uint64_t seed;           ///< of the generated set and of the choice of validation images
    bool skip_bad;           ///< name, count and leave out bad images instead of refusing
    uint32_t n_generated[3]; ///< images of the generated set by part; 0: 20000, 2000, 5000
    unsigned threads;        ///< for drawing; 0: all cores
};
/** Everything 0 but validation_frac -1 and seed 1. */
ATOLL_API struct atoll_data_opts atoll_data_opts_default(void);

/** A set. Read-only after opening: any number of threads may read from it. */
struct atoll_dataset;
/** Opens a SET of contracts.md: "generated", "fashion_mnist" (Debian's dataset-fashion-mnist; the
 *  sentence says how to get it), "mnist:DIR", "cifar10:DIR", "cifar100:DIR", "folder:DIR", or a
 *  yaml file (docs/method-accuracy.md). The parts do not overlap: validation is taken from the
 *  training files by `seed`, test files stay what they are. ATOLL_ENOTFOUND lists what was looked
 *  for; ATOLL_EUSAGE lists the known sets; ATOLL_EINPUT: a bad archive. `o` may be NULL. */
ATOLL_API int atoll_dataset_open(const char *set, const struct atoll_data_opts *o,
                                 struct atoll_dataset **d, struct atoll_err *err);
/** The same as a node of another yaml file says: a text that atoll_dataset_open takes, or a map
 * with the keys of a set's yaml file, pre-processing among them. Paths are relative to o->base_dir.
 */
ATOLL_API int atoll_dataset_open_node(const struct atoll_yaml *node,
                                      const struct atoll_data_opts *o, struct atoll_dataset **d,
                                      struct atoll_err *err);
ATOLL_API void atoll_dataset_close(struct atoll_dataset **d);

struct atoll_dataset_info {
    const char *name; ///< as given to open
    enum atoll_task task;
    uint32_t n_classes;
    const char *const *labels;          ///< n_classes names; "" where none is known
    uint32_t width, height;             ///< of every image; 0: they differ
    uint32_t channels;                  ///< 1 or 3; 0: they differ
    struct atoll_preprocess preprocess; ///< what the set or its yaml file declares
    int32_t label_offset;  ///< model class = label + offset (1: the model has a background)
    size_t n[3];           ///< images by enum atoll_part; 0 for parts not asked for
    uint64_t n_bad;        ///< left out while opening (with skip_bad)
    const char *bad_first; ///< sentence about the first of them; "" when none
    bool skip_bad;
};
ATOLL_API void atoll_dataset_info(const struct atoll_dataset *d, struct atoll_dataset_info *out);

/** Image `index` of a part and its label. The image's buffer is reused. ATOLL_EINPUT names a
 *  corrupt image; ATOLL_EUSAGE: out of range or a part that was not asked for. */
ATOLL_API int atoll_dataset_read(const struct atoll_dataset *d, enum atoll_part part, size_t index,
                                 struct atoll_image *image, uint32_t *label, struct atoll_err *err);
/** The same without a copy for sets held in memory (all but folders): H, W, C bytes of the sizes in
 *  info, borrowed until the set is closed. NULL: not in memory, or out of range. */
ATOLL_API const uint8_t *atoll_dataset_pixels(const struct atoll_dataset *d, enum atoll_part part,
                                              size_t index, uint32_t *label);
/** Name of an image for messages: a path, or "FILE image 17". Written into buf. */
ATOLL_API const char *atoll_dataset_image_name(const struct atoll_dataset *d, enum atoll_part part,
                                               size_t index, char buf[512]);
/** Task `segment`: the mask of an image (class numbers; 255: not counted). */
ATOLL_API int atoll_dataset_mask(const struct atoll_dataset *d, enum atoll_part part, size_t index,
                                 struct atoll_image *mask, struct atoll_err *err);
/** A box of the truth, in pixels of the image. */
struct atoll_box {
    float y0, x0, y1, x1;
    uint32_t label;
    bool crowd; ///< COCO iscrowd: may match many detections, misses none
};
/** Task `detect`: the boxes of an image; borrowed. */
ATOLL_API const struct atoll_box *atoll_dataset_boxes(const struct atoll_dataset *d,
                                                      enum atoll_part part, size_t index,
                                                      size_t *n);

/** A labels file: a line a class, or "number name" lines (then the numbers count); owned by the
 *  arena. ATOLL_EINPUT: a number twice or out of range. */
ATOLL_API int atoll_labels_open(const char *path, struct atoll_arena *a, const char ***labels,
                                uint32_t *n, struct atoll_err *err);

/* -------------------------------------------------------------- fuzz entries */

/** An IDX file (magic 0x801 or 0x803, big-endian sizes), plain or gzipped, as bytes. */
struct atoll_idx {
    uint32_t n, rows, columns; ///< labels: rows = columns = 1
    uint8_t *bytes;            ///< n * rows * columns, owned (atoll_free)
    bool cut_short;            ///< fewer bytes than the head says (only with `allow_short`)
};
ATOLL_API int atoll_idx_parse(const char *name, const void *bytes, size_t n, bool allow_short,
                              struct atoll_idx *out, struct atoll_err *err);
/** CIFAR's binary batches: records of `label_bytes` labels (the last one counts) and 3 planes of
 *  1024. Appends to labels and pixels (H, W, C); every label < n_classes. */
struct atoll_cifar {
    uint8_t *pixels, *labels; ///< owned (atoll_free)
    size_t n, cap_pixels, cap_labels;
};
ATOLL_API int atoll_cifar_parse(const char *name, const void *bytes, size_t n, uint32_t label_bytes,
                                uint32_t n_classes, bool allow_short, struct atoll_cifar *out,
                                struct atoll_err *err);

#ifdef __cplusplus
}
#endif
#endif
