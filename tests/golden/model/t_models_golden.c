/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of models_golden.tsv: totals, shapes, histogram and hash of whole models. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "golden_text.h"
#include "golden_tsv.h"

struct totals {
    uint64_t macs, conv, dw, fc, weights, biases;
};

static struct totals sum(const struct atoll_model *m)
{
    struct totals t = {0};
    for (uint32_t o = 0; o < m->n_ops; o++) {
        struct atoll_op_info i;
        atoll_op_info(m, o, &i);
        t.macs += i.macs;
        t.weights += i.weight_bytes;
        t.biases += i.bias_bytes;
        switch (m->ops[o].code) {
        case ATOLL_OP_CONV_2D: t.conv += i.macs; break;
        case ATOLL_OP_DEPTHWISE_CONV_2D: t.dw += i.macs; break;
        case ATOLL_OP_FULLY_CONNECTED: t.fc += i.macs; break;
        default: break;
        }
    }
    return t;
}

static void say_shapes(char *out, size_t size, const struct atoll_model *m, const int32_t *list,
                       uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        say(out, size, "%s", i > 0 ? ";" : "");
        say_shape(out, size, &m->tensors[list[i]]);
    }
}

/* {"CONV_2D": 3, ...} in the order of first use. */
static void say_histogram(char *out, size_t size, const struct atoll_model *m)
{
    say(out, size, "{");
    for (uint32_t o = 0; o < m->n_ops; o++) {
        char name[128] = "", other[128];
        say_op(name, sizeof name, &m->ops[o]);
        uint32_t count = 0;
        bool first = true;
        for (uint32_t k = 0; k < m->n_ops; k++) {
            other[0] = 0;
            say_op(other, sizeof other, &m->ops[k]);
            first = first && !(k < o && strcmp(name, other) == 0);
            count += strcmp(name, other) == 0;
        }
        if (first) {
            say(out, size, "%s\"%s\": %u", o > 0 ? ", " : "", name, count);
        }
    }
    say(out, size, "}");
}

static bool per_channel(const struct atoll_model *m)
{
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        if (m->tensors[i].quant.n > 1) {
            return true;
        }
    }
    return false;
}

static void expect_number(const struct tsv *t, size_t row, const char *column, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    assert_string_equal(text, tsv_get(t, row, column));
}

static void every_row(void **state)
{
    (void)state;
    struct tsv t = tsv_open("models_golden.tsv");
    for (size_t row = 0; row < t.n_rows; row++) {
        char path[1024], in[512] = "", out[512] = "", histogram[1024] = "";
        struct atoll_err err = {0};
        struct atoll_model *m = NULL;
        (void)snprintf(path, sizeof path, "%s/models/%s", tsv_shared(), tsv_get(&t, row, "model"));
        if (atoll_model_open(path, &m, &err) != 0) {
            fail_msg("%s", err.text);
        }
        const struct totals s = sum(m);
        expect_number(&t, row, "file_bytes", m->file_bytes);
        expect_number(&t, row, "version", m->version);
        expect_number(&t, row, "ops", m->n_ops);
        expect_number(&t, row, "macs", s.macs);
        expect_number(&t, row, "macs_conv", s.conv);
        expect_number(&t, row, "macs_dw", s.dw);
        expect_number(&t, row, "macs_fc", s.fc);
        expect_number(&t, row, "weight_bytes", s.weights);
        expect_number(&t, row, "bias_bytes", s.biases);
        expect_number(&t, row, "per_channel", per_channel(m));
        say_shapes(in, sizeof in, m, m->inputs, m->n_inputs);
        say_shapes(out, sizeof out, m, m->outputs, m->n_outputs);
        say_histogram(histogram, sizeof histogram, m);
        assert_string_equal(m->description, tsv_get(&t, row, "desc"));
        assert_string_equal(in, tsv_get(&t, row, "in"));
        assert_string_equal(out, tsv_get(&t, row, "out"));
        assert_string_equal(short_type(m->tensors[m->inputs[0]].type),
                            tsv_get(&t, row, "in_dtype"));
        assert_string_equal(histogram, tsv_get(&t, row, "op_hist"));
        char hex[65];
        assert_int_equal(atoll_model_sha256(m, hex, &err), 0);
        hex[16] = 0;
        assert_string_equal(hex, tsv_get(&t, row, "sha256_16"));
        atoll_model_close(&m);
    }
    print_message("%zu rows\n", t.n_rows);
    tsv_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row)};
    (void)tsv_shared();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
