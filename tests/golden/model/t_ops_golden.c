/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of ops_golden.tsv: operator by operator, shapes, attributes, MACs and bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "golden_text.h"
#include "golden_tsv.h"

static void say_list(char *out, size_t size, const struct atoll_model *m, const int32_t *list,
                     uint32_t n)
{
    bool first = true;
    for (uint32_t i = 0; i < n; i++) {
        if (list[i] >= 0 && !m->tensors[list[i]].is_constant) {
            say(out, size, "%s", first ? "" : ";");
            say_shape(out, size, &m->tensors[list[i]]);
            first = false;
        }
    }
}

static void say_attrs(char *out, size_t size, const struct atoll_model *m, uint32_t o)
{
    const struct atoll_op *op = &m->ops[o];
    const int32_t w = atoll_op_weights(m, o);
    const struct atoll_op_attr *a = &op->attr;
    if (op->code == ATOLL_OP_CONV_2D || op->code == ATOLL_OP_DEPTHWISE_CONV_2D ||
        op->code == ATOLL_OP_FULLY_CONNECTED) {
        say(out, size, "w");
        say_shape(out, size, &m->tensors[w]);
    }
    if (op->code == ATOLL_OP_CONV_2D || op->code == ATOLL_OP_DEPTHWISE_CONV_2D) {
        say(out, size, " s%dx%d pad%d dil%dx%d act%d", (int)a->stride_h, (int)a->stride_w,
            (int)a->padding, (int)a->dilation_h, (int)a->dilation_w, (int)a->activation);
    } else if (op->code == ATOLL_OP_AVERAGE_POOL_2D || op->code == ATOLL_OP_MAX_POOL_2D) {
        say(out, size, "k%dx%d s%dx%d", (int)a->filter_h, (int)a->filter_w, (int)a->stride_h,
            (int)a->stride_w);
    } else if (op->code == ATOLL_OP_ADD) {
        const struct atoll_tensor *y = &m->tensors[op->outputs[0]];
        say(out, size, "elem%llu", (unsigned long long)(y->bytes * 8 / atoll_type_bits(y->type)));
    }
}

static void expect_number(const struct tsv *t, size_t row, const char *column, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    assert_string_equal(text, tsv_get(t, row, column));
}

static void check_row(const struct tsv *t, size_t row, const struct atoll_model *m)
{
    const uint32_t o = (uint32_t)strtoul(tsv_get(t, row, "idx"), NULL, 10);
    assert_true(o < m->n_ops);
    const struct atoll_op *op = &m->ops[o];
    char name[128] = "", in[512] = "", out[512] = "", attrs[256] = "";
    say_op(name, sizeof name, op);
    say_list(in, sizeof in, m, op->inputs, op->n_inputs);
    say_list(out, sizeof out, m, op->outputs, op->n_outputs);
    say_attrs(attrs, sizeof attrs, m, o);
    assert_string_equal(name, tsv_get(t, row, "op"));
    assert_string_equal(in, tsv_get(t, row, "in_shapes"));
    assert_string_equal(out, tsv_get(t, row, "out_shape"));
    assert_string_equal(attrs, tsv_get(t, row, "attrs"));
    assert_string_equal(short_type(m->tensors[op->outputs[0]].type), tsv_get(t, row, "dtype"));
    struct atoll_op_info info;
    atoll_op_info(m, o, &info);
    expect_number(t, row, "macs", info.macs);
    expect_number(t, row, "weight_bytes", info.weight_bytes);
    expect_number(t, row, "bias_bytes", info.bias_bytes);
    expect_number(t, row, "act_in_bytes", info.in_bytes);
    expect_number(t, row, "act_out_bytes", info.out_bytes);
    expect_number(t, row, "const_in_bytes", info.const_bytes);
}

static void every_row(void **state)
{
    (void)state;
    struct tsv t = tsv_open("ops_golden.tsv");
    struct atoll_model *m = NULL;
    const char *current = "";
    uint32_t seen = 0;
    for (size_t row = 0; row < t.n_rows; row++) {
        const char *model = tsv_get(&t, row, "model");
        if (strcmp(model, current) != 0) {
            assert_true(m == NULL || seen == m->n_ops); /* a row for every operator */
            atoll_model_close(&m);
            char path[1024];
            struct atoll_err err = {0};
            (void)snprintf(path, sizeof path, "%s/models/%s", tsv_shared(), model);
            if (atoll_model_open(path, &m, &err) != 0) {
                fail_msg("%s", err.text);
            }
            current = model;
            seen = 0;
        }
        check_row(&t, row, m);
        seen++;
    }
    assert_int_equal(seen, m->n_ops);
    print_message("%zu rows\n", t.n_rows);
    atoll_model_close(&m);
    tsv_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row)};
    (void)tsv_shared();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
