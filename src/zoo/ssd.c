/* SPDX-License-Identifier: Apache-2.0 */
/* SSD on MobileNet v1 and v2: Liu et al. 2015 (arXiv:1512.02325), with the extra maps, the 1x1
 * heads and the post-processing operator of the TensorFlow Object Detection API
 * (ssd_mobilenet_v1|v2_coco). `classes` counts the background. The heads of a map come right behind
 * it in the file, before the layers that go on from the map: the order of the published files, and
 * what their segment cuts rest on. */
#include "zoo_internal.h"

#include <math.h>
#include <string.h>

#define MAPS 6
#define DETECTIONS 20

/* Collected while the maps are made. */
struct heads {
    int32_t boxes[MAPS], scores[MAPS];
    int32_t rows[MAPS], per_cell[MAPS];
    size_t count;
};

/* Box and class predictions of one map, flattened to one row an anchor. */
static void add_heads(struct atoll__net *n, struct heads *h, int32_t map) {
    const int32_t classes = n->args->classes;
    const int32_t anchors = h->count == 0 ? 3 : 6;
    const int32_t rows = atoll__net_height(n, map);
    const int32_t total = rows * rows * anchors;
    const int32_t box_shape[3] = {1, total, 4};
    const int32_t score_shape[3] = {1, total, classes};
    int32_t y = atoll__net_text(n, map, "%d:1x1-", anchors * 4);
    h->boxes[h->count] = atoll__net_reshape(n, y, 3, box_shape);
    y = atoll__net_text(n, map, "%d:1x1-", anchors * classes);
    h->scores[h->count] = atoll__net_reshape(n, y, 3, score_shape);
    h->rows[h->count] = rows;
    h->per_cell[h->count] = anchors;
    h->count++;
}

/* Centre and size of every anchor: scales from 0.2 to 0.95 over the six maps, the usual ratios. */
static int32_t anchor_table(struct atoll__net *n, const struct heads *h) {
    static const float ratios[MAPS] = {1.0f, 2.0f, 0.5f, 3.0f, 1.0f / 3.0f, 1.0f};
    int32_t total = 0;
    for (size_t m = 0; m < MAPS; m++) {
        total += h->rows[m] * h->rows[m] * h->per_cell[m];
    }
    float *table = n->code == 0 ? atoll_calloc((size_t)total, 4 * sizeof *table) : NULL;
    if (table == NULL) {
        return atoll__net_fail(n, ATOLL_ENOMEM, "no memory for %d anchors", (int)total);
    }
    float *a = table;
    for (size_t m = 0; m < MAPS; m++) {
        for (int32_t cell = 0; cell < h->rows[m] * h->rows[m]; cell++) {
            for (int32_t k = 0; k < h->per_cell[m]; k++, a += 4) {
                const float scale = 0.2f + 0.15f * ((float)m + (k == 5 ? 0.5f : 0.0f));
                a[0] = ((float)(cell / h->rows[m]) + 0.5f) / (float)h->rows[m];
                a[1] = ((float)(cell % h->rows[m]) + 0.5f) / (float)h->rows[m];
                a[2] = scale / sqrtf(ratios[k]);
                a[3] = scale * sqrtf(ratios[k]);
            }
        }
    }
    const int32_t shape[2] = {total, 4};
    const int32_t t = atoll__net_const_float(n, "anchors", 2, shape, table);
    atoll_free(table);
    return t;
}

/* ------------------------------------------------ options of the operator */

/* One entry of the options: an integer, a float or a boolean, 4 bytes each. */
struct option {
    const char *key;
    uint8_t type; ///< flexbuffer type and width: 0x06 int, 0x0e float, 0x6a bool
    float f;
    int32_t i;
};
enum { FLEX_INT = 0x06, FLEX_FLOAT = 0x0e, FLEX_BOOL = 0x6a, FLEX_MAP = 0x26 };

static void put_u32(uint8_t *at, uint32_t v) {
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(v >> (8 * i));
    }
}

/* Writes a flexbuffer map with keys in ascending order (the caller's duty): keys, key vector, map,
 * types, root. Every number takes 4 bytes. Returns the length. */
static size_t flex_map(uint8_t out[512], const struct option *options, uint32_t count) {
    uint32_t key_at[16];
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        const size_t len = strlen(options[i].key) + 1;
        key_at[i] = at;
        memcpy(out + at, options[i].key, len);
        at += (uint32_t)len;
    }
    at = (at + 3) / 4 * 4;
    put_u32(out + at, count);
    const uint32_t keys = at += 4;
    for (uint32_t i = 0; i < count; i++, at += 4) {
        put_u32(out + at, at - key_at[i]);
    }
    put_u32(out + at, at - keys); /* the map names its keys, their width, its size */
    put_u32(out + at + 4, 4);
    put_u32(out + at + 8, count);
    const uint32_t values = at += 12;
    for (uint32_t i = 0; i < count; i++, at += 4) {
        uint32_t bits = (uint32_t)options[i].i;
        if (options[i].type == FLEX_FLOAT) {
            memcpy(&bits, &options[i].f, sizeof bits);
        }
        put_u32(out + at, bits);
    }
    for (uint32_t i = 0; i < count; i++) {
        out[at++] = options[i].type;
    }
    out[at] = (uint8_t)(at - values);
    out[at + 1] = FLEX_MAP;
    out[at + 2] = 1;
    return at + 3;
}

static void detection_op(struct atoll__net *n, int32_t boxes, int32_t scores, int32_t anchors) {
    const struct option options[] = {
        {"detections_per_class", FLEX_INT, 0, 100},
        {"h_scale", FLEX_FLOAT, 5.0f, 0},
        {"max_classes_per_detection", FLEX_INT, 0, 1},
        {"max_detections", FLEX_INT, 0, DETECTIONS},
        {"nms_iou_threshold", FLEX_FLOAT, 0.6f, 0},
        {"nms_score_threshold", FLEX_FLOAT, 0.3f, 0},
        {"num_classes", FLEX_INT, 0, n->args->classes - 1},
        {"use_regular_nms", FLEX_BOOL, 0, 0},
        {"w_scale", FLEX_FLOAT, 5.0f, 0},
        {"x_scale", FLEX_FLOAT, 10.0f, 0},
        {"y_scale", FLEX_FLOAT, 10.0f, 0},
    };
    uint8_t bytes[512] = {0};
    const size_t len = flex_map(bytes, options, sizeof options / sizeof options[0]);
    const int32_t box_shape[3] = {1, DETECTIONS, 4};
    const int32_t list_shape[2] = {1, DETECTIONS};
    const int32_t one = 1;
    const int32_t in[3] = {boxes, scores, anchors};
    const int32_t out[4] = {
        atoll__net_float(n, "detection_boxes", 3, box_shape),
        atoll__net_float(n, "detection_classes", 2, list_shape),
        atoll__net_float(n, "detection_scores", 2, list_shape),
        atoll__net_float(n, "num_detections", 1, &one),
    };
    atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_CUSTOM,
                                        .custom_name = "TFLite_Detection_PostProcess",
                                        .inputs = in,
                                        .n_inputs = 3,
                                        .outputs = out,
                                        .n_outputs = 4,
                                        .attr = atoll_op_attr_default(),
                                        .custom_options = bytes,
                                        .custom_options_bytes = (uint32_t)len});
    for (size_t i = 0; i < 4; i++) {
        atoll__net_output(n, out[i]);
    }
}

/* Joins the heads, turns scores into probabilities, and ends in floats on the CPU. */
static void detect(struct atoll__net *n, const struct heads *h) {
    int32_t boxes = atoll__net_concat(n, h->boxes, MAPS, 1);
    int32_t scores = atoll__net_concat(n, h->scores, MAPS, 1);
    const struct atoll_tensor *t = atoll__net_tensor(n, boxes);
    const int32_t total = t != NULL ? t->shape[1] : 0;
    const int32_t box_shape[3] = {1, total, 4};
    const int32_t score_shape[3] = {1, total, n->args->classes};
    scores = atoll__net_unary(n, ATOLL_OP_LOGISTIC, scores, ATOLL__RANGE_UNIT);
    boxes = atoll__net_simple(n, ATOLL_OP_DEQUANTIZE, boxes, -1,
                              atoll__net_float(n, "boxes", 3, box_shape));
    scores = atoll__net_simple(n, ATOLL_OP_DEQUANTIZE, scores, -1,
                               atoll__net_float(n, "scores", 3, score_shape));
    detection_op(n, boxes, scores, anchor_table(n, h));
}

/* Widths of the extra maps: 1x1 to the first number, 3x3 with stride 2 to the second. */
static const int32_t extras[4][2] = {{256, 512}, {128, 256}, {128, 256}, {64, 128}};

/* First map: Conv2d_11_pointwise of v1, the expansion of layer 15 of v2, both at 1/16 of the input.
 */
static void tap_v1(struct atoll__net *n, void *user, int32_t block, int32_t x) {
    if (block == 10) {
        add_heads(n, user, x);
    }
}

static void tap_v2(struct atoll__net *n, void *user, int32_t block, int32_t x) {
    if (block == 13) {
        add_heads(n, user, x);
    }
}

void atoll__zoo_ssd(struct atoll__net *n, int variant) {
    struct heads h = {.count = 0};
    if (n->args->classes < 2) {
        atoll__net_fail(n, ATOLL_EINPUT, "classes=%d: a detector has the background and one more",
                        (int)n->args->classes);
        return;
    }
    const struct atoll__tap tap = {variant == 1 ? tap_v1 : tap_v2, &h};
    int32_t x = variant == 1
                    ? atoll__mobilenet_v1_trunk(n, &tap)
                    : atoll__net_text(n, atoll__mobilenet_v2_trunk(n, 2, &tap), "1280:1x1");
    add_heads(n, &h, x);
    for (size_t i = 0; i < 4; i++) {
        x = atoll__net_text(n, x, "%d:1x1 %d:3x3/2", extras[i][0], extras[i][1]);
        add_heads(n, &h, x);
    }
    detect(n, &h);
}
