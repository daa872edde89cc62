/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of darwinn_golden.tsv: each executable of each compiled model, every column. */
#include "atoll_test.h"
#include "golden_text.h"
#include "golden_tsv.h"

static void expect_number(const struct tsv *t, size_t row, const char *column, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    if (strcmp(text, tsv_get(t, row, column)) != 0) {
        fail_msg("%s, %s: %s (expected %s)", tsv_get(t, row, "model"), column, text,
                 tsv_get(t, row, column));
    }
}

static void say_layers(char *out, size_t size, const struct atoll_exe_layer *layers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        say(out, size, "%s%s[%dx%dx%d]%s=%llu", i > 0 ? ";" : "", layers[i].name, (int)layers[i].y,
            (int)layers[i].x, (int)layers[i].z, layers[i].type,
            (unsigned long long)layers[i].size_bytes);
    }
}

static void say_count(char *out, size_t size, const char *name, uint32_t n)
{
    if (n > 0) {
        say(out, size, out[0] == 0 ? "{\"%s\": %u" : ", \"%s\": %u", name, n);
    }
}

/* Operators left on the CPU, in order of first use. */
static void say_cpu_ops(char *out, size_t size, const struct atoll_model *m)
{
    for (uint32_t o = 0; o < m->n_ops; o++) {
        char name[128] = "", other[128];
        uint32_t count = 0;
        bool first = true;
        say_op(name, sizeof name, &m->ops[o]);
        for (uint32_t k = 0; k < m->n_ops; k++) {
            other[0] = 0;
            say_op(other, sizeof other, &m->ops[k]);
            first = first && !(k < o && strcmp(name, other) == 0);
            count += strcmp(name, other) == 0;
        }
        if (first && strcmp(name, "CUSTOM:edgetpu-custom-op") != 0) {
            say_count(out, size, name, count);
        }
    }
    say(out, size, out[0] == 0 ? "{}" : "}");
}

static void check_package(const struct tsv *t, size_t row, const struct atoll_model *m,
                          const struct atoll_package *p)
{
    char cpu[256] = "", hex[65];
    uint32_t custom = 0;
    for (uint32_t o = 0; o < m->n_ops; o++) {
        custom += m->ops[o].custom_name != NULL &&
                  strcmp(m->ops[o].custom_name, "edgetpu-custom-op") == 0;
    }
    say_cpu_ops(cpu, sizeof cpu, m);
    expect_number(t, row, "file_bytes", m->file_bytes);
    expect_number(t, row, "custom_ops", custom);
    expect_number(t, row, "min_rt", (uint64_t)p->min_runtime_version);
    expect_number(t, row, "pkg_bytes", p->bytes);
    assert_false(p->legacy);
    assert_string_equal(cpu, tsv_get(t, row, "cpu_ops"));
    assert_string_equal(p->compiler_version, tsv_get(t, row, "compiler"));
    assert_string_equal(p->flex_keys, tsv_get(t, row, "flex_keys"));
    assert_int_equal(atoll_model_sha256(m, hex, NULL), 0);
    hex[16] = 0;
    assert_string_equal(hex, tsv_get(t, row, "sha256_16"));
}

static void check_exe(const struct tsv *t, size_t row, const struct atoll_exe *e)
{
    char token[32] = "", hints[128] = "", in[4096] = "", out[4096] = "";
    say(token, sizeof token, "%016llx", (unsigned long long)e->token);
    say_count(hints, sizeof hints, "I", e->hints_instruction);
    say_count(hints, sizeof hints, "D", e->hints_dma);
    say_count(hints, sizeof hints, "F", e->hints_fence);
    say_count(hints, sizeof hints, "INT", e->hints_interrupt);
    say(hints, sizeof hints, hints[0] == 0 ? "{}" : "}");
    say_layers(in, sizeof in, e->inputs, e->n_inputs);
    say_layers(out, sizeof out, e->outputs, e->n_outputs);
    assert_string_equal(atoll_exe_type_name(e->type), tsv_get(t, row, "type"));
    assert_string_equal(token, tsv_get(t, row, "token"));
    assert_string_equal(hints, tsv_get(t, row, "hints"));
    assert_string_equal(in, tsv_get(t, row, "in_layers"));
    assert_string_equal(out, tsv_get(t, row, "out_layers"));
    assert_string_equal(e->chip, tsv_get(t, row, "chip"));
    assert_string_equal(e->name, tsv_get(t, row, "name"));
    assert_string_equal(e->fully_deterministic ? "True" : "False",
                        tsv_get(t, row, "deterministic"));
    expect_number(t, row, "batch", (uint64_t)e->batch);
    expect_number(t, row, "param_bytes", e->parameter_bytes);
    expect_number(t, row, "instr_bytes", e->instruction_bytes);
    expect_number(t, row, "instr_chunks", e->n_chunks);
    expect_number(t, row, "n_field_offsets", e->n_field_offsets);
    expect_number(t, row, "scratch", e->scratch_bytes);
    expect_number(t, row, "cyc32", (uint64_t)e->estimated_cycles32);
    expect_number(t, row, "cyc64", (uint64_t)e->estimated_cycles64);
    expect_number(t, row, "narrow_per_tile", e->narrow_bytes_per_tile);
    expect_number(t, row, "hint_bytes_in_param", e->hint_in_parameter_bytes);
    expect_number(t, row, "hint_bytes_in_act", e->hint_in_activation_bytes);
    expect_number(t, row, "hint_bytes_in_scratch", e->hint_in_scratch_bytes);
    expect_number(t, row, "hint_bytes_in_instr", e->hint_in_instruction_bytes);
    expect_number(t, row, "hint_bytes_out_act", e->hint_out_activation_bytes);
    expect_number(t, row, "hint_bytes_out_scratch", e->hint_out_scratch_bytes);
    expect_number(t, row, "serial_model_bytes", e->serialized_model_bytes);
}

static void every_row(void **state)
{
    (void)state;
    struct tsv t = tsv_open("darwinn_golden.tsv");
    for (size_t row = 0; row < t.n_rows; row++) {
        char path[1024];
        struct atoll_model *m = NULL;
        struct atoll_compiled *c = NULL;
        struct atoll_err err = {0};
        (void)snprintf(path, sizeof path, "%s/models/%s", tsv_shared(), tsv_get(&t, row, "model"));
        if (atoll_model_open(path, &m, &err) != 0 || atoll_compiled_open(m, &c, &err) != 0) {
            fail_msg("%s", err.text);
        }
        assert_true(atoll_model_is_compiled(m));
        const unsigned package = (unsigned)strtoul(tsv_get(&t, row, "package"), NULL, 10);
        const unsigned exe = (unsigned)strtoul(tsv_get(&t, row, "exec"), NULL, 10);
        assert_true(package < c->n_packages && exe < c->packages[package].n_exes);
        check_package(&t, row, m, &c->packages[package]);
        check_exe(&t, row, &c->packages[package].exes[exe]);
        atoll_compiled_close(&c);
        atoll_model_close(&m);
    }
    print_message("%zu rows\n", t.n_rows);
    tsv_close(&t);
}

/* What the compiler left on the CPU is what the mapping rules leave there. */
static void mapping_agrees_with_compiled_files(void **state)
{
    (void)state;
    static const struct {
        const char *source, *cpu;
    } pairs[] = {
        {"LibrEdgeTPU/dense_256.tflite", "{}"},
        {"LibrEdgeTPU/dense_1024.tflite", "{}"},
        {"test_data/mobilenet_v1_0.25_128_quant.tflite", "{}"},
        {"test_data/mobilenet_v1_0.5_160_quant.tflite", "{}"},
        {"test_data/keras_lstm_mnist_ptq.tflite", "{}"},
        {"test_data/tools/split_concat.tflite", "{}"},
        {"test_data/posenet/posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite",
         "{\"CUSTOM:PosenetDecoderOp\": 1}"},
        {"test_data/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite",
         "{\"RESIZE_BILINEAR\": 1, \"ARG_MAX\": 1}"},
        {"edgetpu_2020/mobilenet_edgetpu_0.75_224_post_training_quant.tflite", "{}"},
        {"edgetpu_2020/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite", "{}"},
        {"edgetpu_2020/mobilenet_v2_1.0_224_quant.tflite", "{}"},
    };
    struct tsv t = tsv_open("darwinn_golden.tsv");
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char path[1024], compiled[512], got[256] = "";
        struct atoll_model *m = NULL;
        struct atoll_err err = {0};
        (void)snprintf(path, sizeof path, "%s/models/%s", tsv_shared(), pairs[i].source);
        if (atoll_model_open(path, &m, &err) != 0) {
            fail_msg("%s", err.text);
        }
        bool *maps = calloc(m->n_ops, sizeof *maps);
        assert_non_null(maps);
        atoll_model_mapping(m, maps);
        for (uint32_t o = 0; o < m->n_ops; o++) {
            char name[128] = "";
            say_op(name, sizeof name, &m->ops[o]);
            say_count(got, sizeof got, name, maps[o] ? 0 : 1);
        }
        say(got, sizeof got, got[0] == 0 ? "{}" : "}");
        assert_string_equal(got, pairs[i].cpu);
        /* and that is what the compiled file holds */
        const size_t stem = strlen(pairs[i].source) - strlen(".tflite");
        (void)snprintf(compiled, sizeof compiled, "%.*s_edgetpu.tflite", (int)stem,
                       pairs[i].source);
        bool found = false;
        for (size_t row = 0; row < t.n_rows; row++) {
            if (strcmp(tsv_get(&t, row, "model"), compiled) == 0) {
                assert_string_equal(got, tsv_get(&t, row, "cpu_ops"));
                found = true;
            }
        }
        assert_true(found);
        free(maps);
        atoll_model_close(&m);
    }
    tsv_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row),
                                       cmocka_unit_test(mapping_agrees_with_compiled_files)};
    (void)tsv_shared();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
