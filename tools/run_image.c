/* SPDX-License-Identifier: Apache-2.0 */
#include "run_image.h"

#include <string.h>

/* A tensor of the model, as the functions on images and scores take it. */
static struct atoll_interp_tensor tensor_of(const struct atoll_model *m, int32_t index, void *data)
{
    const struct atoll_tensor *t = &m->tensors[index];
    struct atoll_interp_tensor v = {
        .name = t->name, .type = t->type, .rank = t->rank, .bytes = (size_t)t->bytes, .data = data};
    memcpy(v.shape, t->shape, sizeof v.shape);
    if (t->quant.n == 1) {
        v.scale = t->quant.scale[0];
        v.zero_point = (int32_t)t->quant.zero_point[0];
    }
    return v;
}

static int give(void *user, uint32_t pipeline, uint64_t number, void *const *in,
                struct atoll_err *err)
{
    const struct run_image *r = user;
    (void)pipeline;
    (void)number;
    (void)err;
    memcpy(in[0], r->input, r->input_bytes);
    return 0;
}

static int see(void *user, uint32_t pipeline, uint64_t number, const void *const *out,
               struct atoll_err *err)
{
    struct run_image *r = user;
    uint8_t *to = r->output;
    (void)pipeline;
    (void)number;
    (void)err;
    for (uint32_t i = 0; i < r->model->n_outputs && !r->have_output; i++) {
        const size_t bytes = (size_t)r->model->tensors[r->model->outputs[i]].bytes;
        memcpy(to, out[i], bytes);
        to += bytes;
    }
    r->have_output = true;
    return 0;
}

static int read_preprocess(const char *data, struct atoll_preprocess *p, struct atoll_err *err)
{
    struct atoll_data_opts o = atoll_data_opts_default();
    struct atoll_dataset *d = NULL;
    struct atoll_dataset_info info;
    *p = atoll_preprocess_default();
    if (!data) {
        return 0;
    }
    o.parts = 1u << ATOLL_PART_TEST;
    o.n_generated[ATOLL_PART_TEST] = 1;
    const int code = atoll_dataset_open(data, &o, &d, err);
    if (code == 0) {
        atoll_dataset_info(d, &info);
        *p = info.preprocess;
        atoll_dataset_close(&d);
    }
    return code;
}

static int read_input(struct run_image *r, const char *image, const char *data,
                      struct atoll_err *err)
{
    struct atoll_preprocess p;
    struct atoll_image picture = {0}, scratch = {0};
    if (r->model->n_inputs != 1) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s has %u inputs; --input goes with one image",
                          r->model->path, r->model->n_inputs);
    }
    struct atoll_interp_tensor t = tensor_of(r->model, r->model->inputs[0], NULL);
    r->input_bytes = t.bytes;
    r->input = atoll_calloc(t.bytes + 1, 1);
    if (!r->input) {
        return atoll_fail_nomem(err, "an input", t.bytes);
    }
    t.data = r->input;
    int code = read_preprocess(data, &p, err);
    code = code ? code : atoll_image_open(image, &picture, err);
    if (code == 0) {
        code = atoll_interp_put_image(&t, &p, &picture, &scratch, err);
        code = code ? atoll_fail_at(err, "%s", r->model->path) : 0;
    }
    atoll_image_finish(&picture);
    atoll_image_finish(&scratch);
    r->tensors.input = give;
    return code;
}

int run_image_open(struct run_image *r, const struct atoll_model *m, const char *image,
                   const char *data, struct atoll_err *err)
{
    *r = (struct run_image){.model = m, .tensors = {.output = see, .user = r}};
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        r->output_bytes += (size_t)m->tensors[m->outputs[i]].bytes;
    }
    r->output = atoll_calloc(r->output_bytes + 1, 1);
    if (!r->output) {
        return atoll_fail_nomem(err, "the outputs", r->output_bytes);
    }
    return image ? read_input(r, image, data, err) : 0;
}

void run_image_close(struct run_image *r)
{
    atoll_free(r->input);
    atoll_free(r->output);
    r->input = r->output = NULL;
}

int run_image_write(const struct run_image *r, const char *path, struct atoll_err *err)
{
    return atoll_write_file(path, r->output, r->output_bytes, err);
}

/* One output with one row of scores: [1, n], [n], [1, 1, 1, n]. */
static bool is_classifier(const struct atoll_model *m)
{
    const struct atoll_tensor *t = &m->tensors[m->outputs[0]];
    for (int32_t i = 0; i + 1 < t->rank; i++) {
        if (t->shape[i] != 1) {
            return false;
        }
    }
    return m->n_outputs == 1 && t->rank >= 1 && t->shape[t->rank - 1] > 1;
}

int run_image_top(const struct run_image *r, uint32_t k, const char *labels, json_t **top,
                  struct atoll_err *err)
{
    struct atoll_arena arena = {0};
    const char **names = NULL;
    uint32_t n_names = 0;
    *top = NULL;
    if (!is_classifier(r->model)) {
        return 0;
    }
    const struct atoll_interp_tensor t = tensor_of(r->model, r->model->outputs[0], r->output);
    int code = labels ? atoll_labels_open(labels, &arena, &names, &n_names, err) : 0;
    if (code == 0 && labels && n_names != atoll_interp_elements(&t)) {
        code = atoll_fail(err, ATOLL_EINPUT, "%s has %u names, %s gives %zu scores", labels,
                          n_names, r->model->path, atoll_interp_elements(&t));
    }
    struct atoll_top *best = code == 0 ? atoll_calloc((size_t)k + 1, sizeof *best) : NULL;
    if (code == 0 && !best) {
        code = atoll_fail_nomem(err, "classes", k * sizeof *best);
    }
    if (code == 0) {
        const uint32_t n = atoll_interp_top(&t, k, best);
        *top = json_array();
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t c = best[i].class_index;
            json_t *j = json_object();
            json_object_set_new(j, "class", json_integer(c));
            json_object_set_new(j, "label", names ? out_string(names[c]) : json_null());
            atoll_json_set_number(j, "score", best[i].score);
            json_array_append_new(*top, j);
        }
    }
    atoll_free(best);
    atoll_arena_finish(&arena);
    return code;
}
