/* SPDX-License-Identifier: Apache-2.0 */
/* MobileNet v1 and v2 operator by operator against real files of the same networks, through the
 * rows of ops_golden.tsv (operator, output shape, weight shape, stride, padding, activation, MACs,
 * bytes). Exit 77 without the shared data. */
#include "atoll_test.h"

#include <atoll/zoo.h>

#define COLUMNS 13
enum {
    COL_MODEL,
    COL_INDEX,
    COL_OP,
    COL_IN,
    COL_OUT,
    COL_TYPE,
    COL_ATTRS,
    COL_MACS,
    COL_WEIGHT,
    COL_BIAS,
    COL_ACT_IN,
    COL_ACT_OUT,
    COL_CONST
};

static FILE *golden_file;

/* "1x112x112x32" */
static void shape_text(const struct atoll_tensor *t, char out[80]) {
    size_t used = 0;
    out[0] = '\0';
    for (int32_t i = 0; i < t->rank; i++) {
        used += (size_t)snprintf(out + used, 80 - used, "%s%d", i > 0 ? "x" : "", (int)t->shape[i]);
    }
}

/* The attributes as the file writes them; empty for operators that the file gives none or other
 * ones. */
static void attrs_text(const struct atoll_model *m, uint32_t i, char out[160]) {
    const struct atoll_op *op = &m->ops[i];
    out[0] = '\0';
    if (op->code == ATOLL_OP_CONV_2D || op->code == ATOLL_OP_DEPTHWISE_CONV_2D) {
        char w[80];
        shape_text(&m->tensors[atoll_op_weights(m, i)], w);
        snprintf(out, 160, "w%s s%dx%d pad%d dil%dx%d act%d", w, (int)op->attr.stride_h,
                 (int)op->attr.stride_w, (int)op->attr.padding, (int)op->attr.dilation_h,
                 (int)op->attr.dilation_w, (int)op->attr.activation);
    }
    if (op->code == ATOLL_OP_AVERAGE_POOL_2D) {
        snprintf(out, 160, "k%dx%d s%dx%d", (int)op->attr.filter_h, (int)op->attr.filter_w,
                 (int)op->attr.stride_h, (int)op->attr.stride_w);
    }
}

static size_t split_row(char *line, char *fields[COLUMNS]) {
    size_t n = 0;
    line[strcspn(line, "\r\n")] = '\0';
    for (char *p = line; p != NULL && n < COLUMNS; n++) {
        fields[n] = p;
        p = strchr(p, '\t');
        if (p != NULL) {
            *p++ = '\0';
        }
    }
    return n;
}

static void compare_row(const struct atoll_model *m, uint32_t i, char *f[COLUMNS]) {
    char text[160];
    char name[64];
    struct atoll_op_info info;
    atoll_op_info(m, i, &info);
    assert_string_equal(atoll_op_name(&m->ops[i], name), f[COL_OP]);
    shape_text(&m->tensors[m->ops[i].outputs[0]], text);
    assert_string_equal(text, f[COL_OUT]);
    attrs_text(m, i, text);
    assert_string_equal(text, m->ops[i].code == ATOLL_OP_ADD ? "" : f[COL_ATTRS]);
    assert_int_equal(info.macs, strtoull(f[COL_MACS], NULL, 10));
    assert_int_equal(info.weight_bytes, strtoull(f[COL_WEIGHT], NULL, 10));
    assert_int_equal(info.bias_bytes, strtoull(f[COL_BIAS], NULL, 10));
    assert_int_equal(info.const_bytes, strtoull(f[COL_CONST], NULL, 10));
}

/* Rows of `file` from row `skip` on against the operators of the network from the first on; stops
 * at the network's end. */
static void compare(const char *spec, const char *file, const char *only_without) {
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_zoo_build(spec, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    char line[2000];
    uint32_t at = 0;
    rewind(golden_file);
    while (fgets(line, sizeof line, golden_file) != NULL) {
        char *f[COLUMNS];
        if (split_row(line, f) != COLUMNS || strcmp(f[COL_MODEL], file) != 0 ||
            strcmp(f[COL_OP], only_without) == 0) {
            continue;
        }
        assert_true(at < m->n_ops);
        if (strcmp(f[COL_OP], "MEAN") !=
            0) { /* the Keras file pools with MEAN, TF-slim with a pool */
            compare_row(m, at, f);
        }
        at++;
    }
    assert_int_equal(at, m->n_ops);
    atoll_model_close(&m);
}

static void mobilenet_v1_is_the_real_one(void **state) {
    (void)state;
    compare("mobilenet_v1?alpha=0.25&size=128", "test_data/mobilenet_v1_0.25_128_quant.tflite", "");
    compare("mobilenet_v1?alpha=0.5&size=160", "test_data/mobilenet_v1_0.5_160_quant.tflite", "");
}

static void mobilenet_v2_is_the_real_one(void **state) {
    (void)state;
    compare("mobilenet_v2", "test_data/mobilenet_v2_1.0_224_quant.tflite", "");
    /* The same network as int8 has a QUANTIZE at either end for its uint8 input and output. */
    compare("mobilenet_v2", "test_data/tf2_mobilenet_v2_1.0_224_ptq.tflite", "QUANTIZE");
}

int main(void) {
    const char *shared = getenv("ATOLL_SHARED");
    char path[1024];
    snprintf(path, sizeof path, "%s/data/ops_golden.tsv", shared != NULL ? shared : ".");
    golden_file = fopen(path, "r");
    if (golden_file == NULL) {
        printf("skipped: %s is missing\n", path);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mobilenet_v1_is_the_real_one),
        cmocka_unit_test(mobilenet_v2_is_the_real_one),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fclose(golden_file);
    return failed;
}
