/* SPDX-License-Identifier: Apache-2.0 */
/* One interpreter: made, given its inputs in place, run. What the runtime says goes into the error
 * sentence; nothing is printed. */
#include "nn_internal.h"

#include <string.h>

enum { STATUS_UNRESOLVED = 7 };

/* What the runtime said last, and all it said during one call. */
struct said {
    char text[600];
    size_t n;
};

struct atoll_interp {
    const struct atoll_runtime *rt;
    const struct atoll_model *model;
    uint8_t *bytes; /* aligned or serialised copy; NULL: the model's own */
    void *xnnpack, *handle;
    struct atoll_interp_tensor *inputs, *outputs;
    const void **output_handles;
    uint32_t n_inputs, n_outputs;
    enum atoll_kernels kernels;
    struct said said; /* the runtime keeps its address */
};

static void listen(void *user, const char *format, va_list args)
{
    struct said *s = user;
    if (s->n + 3 >= sizeof s->text) {
        return;
    }
    if (s->n > 0) {
        s->text[s->n++] = ' ';
    }
    const int n = vsnprintf(s->text + s->n, sizeof s->text - s->n, format, args);
    const size_t room = sizeof s->text - 1 - s->n;
    s->n += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
    s->text[s->n] = '\0';
    for (char *c = s->text; *c != '\0'; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
}

static const char *words(const struct said *s)
{
    return s->n > 0 ? s->text : "it gives no reason";
}

/* ----------------------------------------------------------------- creation */

/* The custom operator that the runtime stumbled over. */
static int unknown_op(const struct atoll_interp *it, struct atoll_err *err)
{
    const struct atoll_model *m = it->model;
    for (uint32_t i = 0; i < m->n_ops; i++) {
        const char *name = m->ops[i].custom_name;
        if (name == NULL || name[0] == '\0' || strstr(it->said.text, name) == NULL) {
            continue;
        }
        if (strcmp(name, "edgetpu-custom-op") == 0) {
            return atoll_fail(err, ATOLL_EUNSUPPORTED,
                              "%s: operator %u is %s: a model compiled for the Edge TPU runs on "
                              "one (--device edgetpu), not on the host",
                              m->path, i, name);
        }
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "%s: operator %u is the custom operator %s, which the TFLite runtime %s "
                          "does not know; the part before it can be cut off (split --cuts %u)",
                          m->path, i, name, it->rt->version, i);
    }
    return atoll_fail(err, ATOLL_EUNSUPPORTED, "%s: the TFLite runtime %s: %s", m->path,
                      it->rt->version, words(&it->said));
}

static int refused(const struct atoll_interp *it, const char *step, struct atoll_err *err)
{
    return atoll_fail(err, ATOLL_EINPUT, "%s: the TFLite runtime %s refused it (%s): %s",
                      it->model->path, it->rt->version, step, words(&it->said));
}

/* The bytes that the runtime reads: the file's own, which atoll's reader has accepted, or those of
 * a built model. 16-byte aligned. */
static int get_bytes(struct atoll_interp *it, const uint8_t **bytes, size_t *n,
                     struct atoll_err *err)
{
    const struct atoll_model *m = it->model;
    if (m->bytes == NULL) {
        const int rc = atoll_model_serialize(m, &it->bytes, n, err);
        *bytes = it->bytes;
        return rc;
    }
    *bytes = m->bytes;
    *n = (size_t)m->file_bytes;
    if ((uintptr_t)m->bytes % 16 != 0) {
        it->bytes = atoll_alloc(*n);
        if (it->bytes == NULL) {
            return atoll_fail_nomem(err, "a model", *n);
        }
        memcpy(it->bytes, m->bytes, *n);
        *bytes = it->bytes;
    }
    return 0;
}

/* XNNPACK acts only when its delegate is added: so it is added always or never, and the state is
 * known. Where it cannot start (no /proc) the built-in kernels do, and that is said. */
static void start_xnnpack(struct atoll_interp *it, unsigned threads)
{
    if (it->kernels != ATOLL_KERNELS_XNNPACK) {
        return;
    }
    if (it->rt->has_xnnpack) {
        struct atoll__nn_xnn_options o = it->rt->TfLiteXNNPackDelegateOptionsDefault();
        o.num_threads = (int32_t)threads;
        it->xnnpack = it->rt->TfLiteXNNPackDelegateCreate(&o);
    }
    if (it->xnnpack == NULL) {
        it->kernels = ATOLL_KERNELS_BUILTIN;
        atoll_log(ATOLL_LOG_WARN, "%s: XNNPACK cannot start here; the built-in kernels compute",
                  it->rt->path);
    }
}

static int create(struct atoll_interp *it, const struct atoll_interp_opts *o, struct atoll_err *err)
{
    const struct atoll_runtime *rt = it->rt;
    const uint8_t *bytes = NULL;
    size_t n = 0;
    const int rc = get_bytes(it, &bytes, &n, err);
    if (rc != 0) {
        return rc;
    }
    void *model = rt->TfLiteModelCreateWithErrorReporter(bytes, n, listen, &it->said);
    if (model == NULL) {
        return refused(it, "reading", err);
    }
    void *options = rt->TfLiteInterpreterOptionsCreate();
    if (options == NULL) {
        rt->TfLiteModelDelete(model);
        return atoll_fail_nomem(err, "the runtime's options", 0);
    }
    const unsigned threads = o->threads > 0 ? o->threads : 1;
    start_xnnpack(it, threads);
    rt->TfLiteInterpreterOptionsSetNumThreads(options, (int32_t)threads);
    rt->TfLiteInterpreterOptionsSetErrorReporter(options, listen, &it->said);
    if (o->delegate != NULL) {
        rt->TfLiteInterpreterOptionsAddDelegate(options, o->delegate);
    }
    if (it->xnnpack != NULL) {
        rt->TfLiteInterpreterOptionsAddDelegate(options, it->xnnpack);
    }
    it->handle = rt->TfLiteInterpreterCreate(model, options);
    rt->TfLiteInterpreterOptionsDelete(options);
    rt->TfLiteModelDelete(model); /* both may go; the bytes stay borrowed */
    return it->handle != NULL ? 0 : refused(it, "creation", err);
}

static int allocate(struct atoll_interp *it, struct atoll_err *err)
{
    int status = it->rt->TfLiteInterpreterAllocateTensors(it->handle);
    if (status == STATUS_UNRESOLVED || strstr(it->said.text, "unresolved custom op") != NULL) {
        return unknown_op(it, err);
    }
    if (status == 0) {
        status = it->rt->TfLiteInterpreterResetVariableTensors(it->handle);
    }
    return status == 0 ? 0 : refused(it, "preparation", err);
}

/* ------------------------------------------------------------------ tensors */

/* Reads what may change with an inference too: outputs of some operators have no fixed shape. */
static int look_at(const struct atoll_interp *it, const void *handle, struct atoll_interp_tensor *t,
                   struct atoll_err *err)
{
    const struct atoll_runtime *rt = it->rt;
    t->rank = rt->TfLiteTensorNumDims(handle);
    t->bytes = rt->TfLiteTensorByteSize(handle);
    t->data = rt->TfLiteTensorData(handle);
    if (t->rank < 0 || t->rank > ATOLL_RANK_MAX) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: tensor %s has %d dimensions (0 to %d expected)",
                          it->model->path, t->name, t->rank, ATOLL_RANK_MAX);
    }
    uint64_t bits = atoll_type_bits(t->type);
    for (int32_t i = 0; i < t->rank; i++) {
        t->shape[i] = rt->TfLiteTensorDim(handle, i);
        if (t->shape[i] < 0 || !atoll_mul_u64(bits, (uint64_t)t->shape[i], &bits)) {
            bits = UINT64_MAX;
        }
    }
    if (bits / 8 > t->bytes || (t->data == NULL && t->bytes > 0)) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: tensor %s has %zu bytes, its shape asks for more",
                          it->model->path, t->name, t->data != NULL ? t->bytes : 0);
    }
    return 0;
}

/* TFLite numbers its types apart from the file format. */
static enum atoll_type type_of(int code)
{
    static const struct {
        int code;
        enum atoll_type type;
    } types[] = {{1, ATOLL_TYPE_FLOAT32},  {2, ATOLL_TYPE_INT32},     {3, ATOLL_TYPE_UINT8},
                 {4, ATOLL_TYPE_INT64},    {5, ATOLL_TYPE_STRING},    {6, ATOLL_TYPE_BOOL},
                 {7, ATOLL_TYPE_INT16},    {8, ATOLL_TYPE_COMPLEX64}, {9, ATOLL_TYPE_INT8},
                 {10, ATOLL_TYPE_FLOAT16}, {11, ATOLL_TYPE_FLOAT64}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].code == code) {
            return types[i].type;
        }
    }
    return ATOLL_TYPE_RESOURCE;
}

static int describe(struct atoll_interp *it, const void *handle,
                    const struct atoll_tensor *expected, bool fixed, struct atoll_interp_tensor *t,
                    struct atoll_err *err)
{
    const struct atoll__nn_quant q = it->rt->TfLiteTensorQuantizationParams(handle);
    t->name = it->rt->TfLiteTensorName(handle);
    t->name = t->name != NULL ? t->name : "";
    t->type = type_of(it->rt->TfLiteTensorType(handle));
    t->scale = q.scale;
    t->zero_point = q.zero_point;
    if (t->type != expected->type) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: tensor %s is %s to the runtime, %s in the file",
                          it->model->path, t->name, atoll_type_name(t->type),
                          atoll_type_name(expected->type));
    }
    const int rc = look_at(it, handle, t, fixed ? err : NULL);
    return fixed ? rc : 0; /* outputs may get their buffer with the first inference */
}

static int list_tensors(struct atoll_interp *it, struct atoll_err *err)
{
    const struct atoll_runtime *rt = it->rt;
    const struct atoll_model *m = it->model;
    const int32_t n_in = rt->TfLiteInterpreterGetInputTensorCount(it->handle);
    const int32_t n_out = rt->TfLiteInterpreterGetOutputTensorCount(it->handle);
    if (n_in != (int32_t)m->n_inputs || n_out != (int32_t)m->n_outputs) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: %d inputs and %d outputs to the runtime, %u and %u in the file",
                          m->path, n_in, n_out, m->n_inputs, m->n_outputs);
    }
    it->inputs = atoll_calloc((size_t)n_in + 1, sizeof *it->inputs);
    it->outputs = atoll_calloc((size_t)n_out + 1, sizeof *it->outputs);
    it->output_handles = atoll_calloc((size_t)n_out + 1, sizeof *it->output_handles);
    if (it->inputs == NULL || it->outputs == NULL || it->output_handles == NULL) {
        return atoll_fail_nomem(err, "the tensors of a model", 0);
    }
    it->n_inputs = m->n_inputs;
    it->n_outputs = m->n_outputs;
    int rc = 0;
    for (uint32_t i = 0; i < it->n_inputs && rc == 0; i++) {
        const void *handle = rt->TfLiteInterpreterGetInputTensor(it->handle, (int32_t)i);
        rc = describe(it, handle, &m->tensors[m->inputs[i]], true, &it->inputs[i], err);
    }
    for (uint32_t i = 0; i < it->n_outputs && rc == 0; i++) {
        it->output_handles[i] = rt->TfLiteInterpreterGetOutputTensor(it->handle, (int32_t)i);
        rc = describe(it, it->output_handles[i], &m->tensors[m->outputs[i]], false, &it->outputs[i],
                      err);
    }
    return rc;
}

/* ------------------------------------------------------------------- public */

int atoll_interp_open(const struct atoll_runtime *rt, const struct atoll_model *m,
                      const struct atoll_interp_opts *opts, struct atoll_interp **out,
                      struct atoll_err *err)
{
    static const struct atoll_interp_opts usual = {0};
    opts = opts != NULL ? opts : &usual;
    int rc = atoll_runtime_check(m, err);
    if (rc != 0) {
        return rc;
    }
    struct atoll_interp *it = atoll_calloc(1, sizeof *it);
    if (it == NULL) {
        return atoll_fail_nomem(err, "an interpreter", sizeof *it);
    }
    it->rt = rt;
    it->model = m;
    it->kernels = opts->kernels;
    rc = create(it, opts, err);
    rc = rc ? rc : allocate(it, err);
    rc = rc ? rc : list_tensors(it, err);
    if (rc != 0) {
        atoll_interp_close(&it);
        return rc;
    }
    *out = it;
    return 0;
}

void atoll_interp_close(struct atoll_interp **it)
{
    if (it == NULL || *it == NULL) {
        return;
    }
    if ((*it)->handle != NULL) {
        (*it)->rt->TfLiteInterpreterDelete((*it)->handle);
    }
    if ((*it)->xnnpack != NULL) {
        (*it)->rt->TfLiteXNNPackDelegateDelete((*it)->xnnpack);
    }
    atoll_free((*it)->inputs);
    atoll_free((*it)->outputs);
    atoll_free((*it)->output_handles);
    atoll_free((*it)->bytes);
    atoll_free(*it);
    *it = NULL;
}

enum atoll_kernels atoll_interp_kernels(const struct atoll_interp *it)
{
    return it->kernels;
}

const struct atoll_interp_tensor *atoll_interp_inputs(const struct atoll_interp *it, uint32_t *n)
{
    *n = it->n_inputs;
    return it->inputs;
}

const struct atoll_interp_tensor *atoll_interp_outputs(const struct atoll_interp *it, uint32_t *n)
{
    *n = it->n_outputs;
    return it->outputs;
}

int atoll_interp_invoke(struct atoll_interp *it, struct atoll_err *err)
{
    it->said = (struct said){.n = 0};
    const int status = it->rt->TfLiteInterpreterInvoke(it->handle);
    if (status != 0) {
        return atoll_fail(err, ATOLL_EDEVICE, "%s: the inference failed (status %d): %s",
                          it->model->path, status, words(&it->said));
    }
    int rc = 0;
    for (uint32_t i = 0; i < it->n_outputs && rc == 0; i++) {
        rc = look_at(it, it->output_handles[i], &it->outputs[i], err);
    }
    return rc;
}

int atoll_interp_reset(struct atoll_interp *it, struct atoll_err *err)
{
    it->said = (struct said){.n = 0};
    const int status = it->rt->TfLiteInterpreterResetVariableTensors(it->handle);
    return status == 0 ? 0
                       : atoll_fail(err, ATOLL_EDEVICE, "%s: its state cannot be reset: %s",
                                    it->model->path, words(&it->said));
}

int atoll_interp_warm_up(struct atoll_interp *it, unsigned count, struct atoll_err *err)
{
    int rc = 0;
    for (unsigned i = 0; i < count && rc == 0; i++) {
        rc = atoll_interp_invoke(it, err);
    }
    return rc ? rc : atoll_interp_reset(it, err);
}
