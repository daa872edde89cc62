/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer on oneDNN 2.6: memory, parameters, and the passes, which are lists of calls that
 * train_dnnl_ops.c makes once. Weights, gradients and momenta stay in the layout of the forward
 * kernels, so that an update is one flat loop (padding stays zero). */
#include "train_dnnl.h"

#include <math.h>
#include <string.h>

#include <oneapi/dnnl/dnnl_debug.h>

#define RUNNING_MOMENTUM 0.1f

/* libgomp's, which libdnnl is linked to; clang's <omp.h> would bring another library. */
void omp_set_num_threads(int n);

/* ------------------------------------------------------------------ ownership */

int atoll__dnnl_fail(struct atoll_err *err, dnnl_status_t status, const char *what)
{
    const int code = status == dnnl_out_of_memory ? ATOLL_ENOMEM : ATOLL_EINTERNAL;
    return atoll_fail(err, code, "oneDNN: %s: %s", what, dnnl_status2str(status));
}

/* Adds a pointer to one of the trainer's lists of owned things. */
#define OWN(t, list, thing)                                                                        \
    (atoll_grow((void **)&(t)->list, &(t)->cap_##list, (t)->n_##list + 1, sizeof *(t)->list) == 0  \
         ? ((t)->list[(t)->n_##list++] = (thing), true)                                            \
         : false)

int atoll__dnnl_buffer(struct atoll_trainer *t, size_t floats, float **data, struct atoll_err *err)
{
    const size_t align = 64;
    void *p = atoll_calloc(floats + 2 * align / sizeof(float), sizeof(float));
    if (p == NULL || !OWN(t, buffers, p)) {
        atoll_free(p);
        return atoll_fail_nomem(err, "a tensor", floats * sizeof(float));
    }
    *data = (float *)(((uintptr_t)p + align - 1) / align * align);
    return 0;
}

int atoll__dnnl_slab_in(struct atoll_trainer *t, const dnnl_memory_desc_t *md, float *data,
                        struct slab *s, struct atoll_err *err)
{
    dnnl_memory_t mem = NULL;
    DNNL_DO(dnnl_memory_create(&mem, md, t->engine, data), "memory");
    if (!OWN(t, memories, mem)) {
        (void)dnnl_memory_destroy(mem);
        return atoll_fail_nomem(err, "a tensor", sizeof mem);
    }
    const size_t bytes = dnnl_memory_desc_get_size(md);
    *s = (struct slab){.md = *md, .mem = mem, .data = data, .n = bytes / sizeof(float)};
    return 0;
}

int atoll__dnnl_slab(struct atoll_trainer *t, const dnnl_memory_desc_t *md, struct slab *s,
                     struct atoll_err *err)
{
    float *data = NULL;
    TRY(atoll__dnnl_buffer(t, dnnl_memory_desc_get_size(md) / sizeof(float) + 1, &data, err));
    return atoll__dnnl_slab_in(t, md, data, s, err);
}

int atoll__dnnl_desc(struct atoll_trainer *t, const void *op, dnnl_primitive_desc_t hint,
                     const char *what, dnnl_primitive_desc_t *pd, struct atoll_err *err)
{
    dnnl_primitive_desc_t made = NULL;
    DNNL_DO(dnnl_primitive_desc_create(&made, op, NULL, t->engine, hint), what);
    if (!OWN(t, descs, made)) {
        (void)dnnl_primitive_desc_destroy(made);
        return atoll_fail_nomem(err, what, sizeof made);
    }
    *pd = made;
    const char *kernel = "";
    if (dnnl_primitive_desc_query(made, dnnl_query_impl_info_str, 0, (void *)&kernel) ==
        dnnl_success) {
        atoll_log(ATOLL_LOG_DEBUG, "training: %s by %s", what, kernel);
    }
    return 0;
}

int atoll__dnnl_step(struct atoll_trainer *t, struct step_list *list, dnnl_primitive_desc_t pd,
                     const dnnl_exec_arg_t *args, int n_args, struct atoll_err *err)
{
    dnnl_primitive_t primitive = NULL;
    DNNL_DO(dnnl_primitive_create(&primitive, pd), "kernel");
    if (!OWN(t, primitives, primitive)) {
        (void)dnnl_primitive_destroy(primitive);
        return atoll_fail_nomem(err, "a kernel", sizeof primitive);
    }
    if (atoll_grow((void **)&list->steps, &list->cap, list->n + 1, sizeof *list->steps) != 0) {
        return atoll_fail_nomem(err, "a list of kernels", list->n);
    }
    struct step *s = &list->steps[list->n++];
    *s = (struct step){.primitive = primitive, .n_args = n_args};
    memcpy(s->args, args, (size_t)n_args * sizeof *args);
    return 0;
}

int atoll__dnnl_own_step(struct atoll_trainer *t, struct step_list *list, struct depthwise **d,
                         struct atoll_err *err)
{
    struct depthwise *made = atoll_calloc(1, sizeof *made);
    if (made == NULL || !OWN(t, buffers, made)) {
        atoll_free(made);
        return atoll_fail_nomem(err, "a kernel", sizeof *made);
    }
    if (atoll_grow((void **)&list->steps, &list->cap, list->n + 1, sizeof *list->steps) != 0) {
        return atoll_fail_nomem(err, "a list of kernels", list->n);
    }
    list->steps[list->n++] = (struct step){.own = made};
    *d = made;
    return 0;
}

int atoll__dnnl_reorder(struct atoll_trainer *t, struct step_list *list, const struct slab *from,
                        const struct slab *to, struct atoll_err *err)
{
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_reorder_primitive_desc_create(&pd, &from->md, t->engine, &to->md, t->engine, NULL),
            "reorder");
    if (!OWN(t, descs, pd)) {
        (void)dnnl_primitive_desc_destroy(pd);
        return atoll_fail_nomem(err, "a reorder", sizeof pd);
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from->mem}, {DNNL_ARG_TO, to->mem}};
    return atoll__dnnl_step(t, list, pd, args, 2, err);
}

/* Once, outside of the passes. */
static int reorder_now(struct atoll_trainer *t, const struct slab *from, const struct slab *to,
                       struct atoll_err *err)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    DNNL_DO(dnnl_reorder_primitive_desc_create(&pd, &from->md, t->engine, &to->md, t->engine, NULL),
            "reorder");
    dnnl_status_t status = dnnl_primitive_create(&primitive, pd);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from->mem}, {DNNL_ARG_TO, to->mem}};
        status = dnnl_primitive_execute(primitive, t->stream, 2, args);
        const dnnl_status_t waited = dnnl_stream_wait(t->stream);
        status = status == dnnl_success ? waited : status;
        (void)dnnl_primitive_destroy(primitive);
    }
    (void)dnnl_primitive_desc_destroy(pd);
    return status == dnnl_success ? 0 : atoll__dnnl_fail(err, status, "reorder");
}

/* ----------------------------------------------------------------- parameters */

static bool is_running(enum atoll_param_role role)
{
    return role == ATOLL_PARAM_MEAN || role == ATOLL_PARAM_VARIANCE;
}

int atoll__dnnl_param(struct atoll_trainer *t, uint32_t node, enum atoll_param_role role,
                      const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *layout,
                      int32_t *index, struct atoll_err *err)
{
    struct param p = {.node = node,
                      .role = role,
                      .plain = *plain,
                      .n = dnnl_memory_desc_get_size(plain) / sizeof(float)};
    TRY(atoll__dnnl_slab(t, layout, &p.value, err));
    if (!is_running(role)) {
        TRY(atoll__dnnl_slab(t, layout, &p.grad, err));
        TRY(atoll__dnnl_slab(t, layout, &p.momentum, err));
    }
    if (role == ATOLL_PARAM_SCALE || role == ATOLL_PARAM_VARIANCE) {
        for (size_t i = 0; i < p.n; i++) {
            p.value.data[i] = 1;
        }
    }
    if (atoll_grow((void **)&t->params, &t->cap_params, t->n_params + 1, sizeof *t->params) != 0) {
        return atoll_fail_nomem(err, "a parameter", sizeof p);
    }
    *index = (int32_t)t->n_params;
    t->params[t->n_params++] = p;
    return 0;
}

uint32_t atoll_trainer_params(const struct atoll_trainer *t)
{
    return t->n_params;
}

struct atoll_param atoll_trainer_param(const struct atoll_trainer *t, uint32_t param)
{
    const struct param *p = &t->params[param];
    return (struct atoll_param){.node = p->node, .role = p->role, .n = p->n};
}

/* Copies between the parameter and plain numbers. */
static int transfer(struct atoll_trainer *t, uint32_t param, enum atoll_param_what what,
                    float *plain, bool out, struct atoll_err *err)
{
    if (param >= t->n_params || ((unsigned)what > ATOLL_PARAM_MOMENTUM) ||
        (what != ATOLL_PARAM_VALUE && is_running(t->params[param].role))) {
        return atoll_fail(err, ATOLL_EUSAGE, "parameter %u has no such numbers", param);
    }
    const struct param *p = &t->params[param];
    const struct slab *s = what == ATOLL_PARAM_VALUE      ? &p->value
                           : what == ATOLL_PARAM_GRADIENT ? &p->grad
                                                          : &p->momentum;
    struct slab other = {.md = p->plain, .data = plain, .n = p->n};
    DNNL_DO(dnnl_memory_create(&other.mem, &p->plain, t->engine, plain), "memory");
    const int rc = out ? reorder_now(t, s, &other, err) : reorder_now(t, &other, s, err);
    (void)dnnl_memory_destroy(other.mem);
    return rc;
}

int atoll_trainer_read(struct atoll_trainer *t, uint32_t param, enum atoll_param_what what,
                       float *out, struct atoll_err *err)
{
    return transfer(t, param, what, out, true, err);
}

int atoll_trainer_write(struct atoll_trainer *t, uint32_t param, enum atoll_param_what what,
                        const float *in, struct atoll_err *err)
{
    if (param >= t->n_params) {
        return atoll_fail(err, ATOLL_EUSAGE, "there is no parameter %u", param);
    }
    float *copy = atoll_alloc(t->params[param].n * sizeof *copy);
    if (copy == NULL) {
        return atoll_fail_nomem(err, "a parameter", t->params[param].n * sizeof *copy);
    }
    memcpy(copy, in, t->params[param].n * sizeof *copy);
    const int rc = transfer(t, param, what, copy, false, err);
    atoll_free(copy);
    return rc;
}

/* First weights: normal with variance 2 / fan-in (He et al. 2015), dense 1 / fan-in; biases 0. */
static int draw_weights(struct atoll_trainer *t, uint64_t seed, struct atoll_err *err)
{
    for (uint32_t k = 0; k < t->n_params; k++) {
        const struct param *p = &t->params[k];
        if (p->role != ATOLL_PARAM_WEIGHT) {
            continue;
        }
        const struct atoll_net_node *n = &t->net->nodes[p->node];
        const double fan_in = (double)p->n / n->channels;
        const double deviation = sqrt((n->op == ATOLL_NET_DENSE ? 1 : 2) / fan_in);
        float *w = atoll_alloc(p->n * sizeof *w);
        if (w == NULL) {
            return atoll_fail_nomem(err, "weights", p->n * sizeof *w);
        }
        struct atoll_rng rng;
        atoll_rng_seed(&rng, atoll_seed_mix(seed, UINT64_C(0x77000000) + p->node));
        for (size_t i = 0; i < p->n; i++) {
            w[i] = (float)(deviation * atoll_rng_normal(&rng));
        }
        const int rc = atoll_trainer_write(t, k, ATOLL_PARAM_VALUE, w, err);
        atoll_free(w);
        TRY(rc);
    }
    return 0;
}

void atoll_trainer_update(struct atoll_trainer *t, float rate, float momentum, float decay)
{
    for (uint32_t k = 0; k < t->n_params; k++) {
        const struct param *p = &t->params[k];
        if (is_running(p->role)) {
            continue;
        }
        const float d = p->role == ATOLL_PARAM_WEIGHT ? decay : 0;
        float *restrict w = p->value.data, *restrict m = p->momentum.data;
        const float *restrict g = p->grad.data;
        for (size_t i = 0; i < p->value.n; i++) {
            m[i] = momentum * m[i] + g[i] + d * w[i];
            w[i] -= rate * m[i];
        }
    }
}

/* -------------------------------------------------------------------- opening */

static int start_engine(struct atoll_trainer *t, unsigned threads, struct atoll_err *err)
{
    t->threads = threads ? threads : 1;
    omp_set_num_threads((int)t->threads); /* frozen into the kernels made now */
    DNNL_DO(dnnl_engine_create(&t->engine, dnnl_cpu, 0), "engine");
    DNNL_DO(dnnl_stream_create(&t->stream, t->engine, dnnl_stream_default_flags), "stream");
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    if (isa == dnnl_cpu_isa_sse41 || isa == dnnl_cpu_isa_avx) {
        atoll_log(ATOLL_LOG_WARN,
                  "training: this processor has no AVX2; it will take about ten times as long");
    }
    return 0;
}

static int build_forward(struct atoll_trainer *t, struct atoll_err *err)
{
    for (uint32_t i = 0; i < t->net->n_nodes; i++) {
        for (uint32_t k = 0; k < t->net->nodes[i].n_in; k++) {
            t->nodes[t->net->nodes[i].in[k]].readers++;
        }
    }
    for (uint32_t i = 0; i < t->net->n_nodes; i++) {
        if (atoll__dnnl_forward(t, i, err) != 0) {
            return atoll_fail_at(err, "%s: node %s", t->net->name, t->net->nodes[i].name);
        }
        const size_t n = t->nodes[i].dst.n;
        t->spare_floats = n > t->spare_floats ? n : t->spare_floats;
    }
    return 0;
}

/* The plain scores, their gradient, and the way back. */
static int build_backward(struct atoll_trainer *t, struct atoll_err *err)
{
    struct node_state *last = &t->nodes[t->net->n_nodes - 1];
    dnnl_dims_t dims = {t->batch, atoll_net_classes(t->net), 1, 1};
    dnnl_memory_desc_t plain;
    DNNL_DO(dnnl_memory_desc_init_by_tag(&plain, 4, dims, dnnl_f32, dnnl_nchw), "layout");
    TRY(atoll__dnnl_slab(t, &plain, &t->logits, err));
    TRY(atoll__dnnl_slab(t, &plain, &t->logits_grad, err));
    TRY(atoll__dnnl_reorder(t, &t->train, &last->dst, &t->logits, err));
    TRY(atoll__dnnl_reorder(t, &t->evaluate, &last->dst, &t->logits, err));
    TRY(atoll__dnnl_buffer(t, t->spare_floats, &t->spare, err));
    TRY(atoll__dnnl_slab(t, &last->dst.md, &last->diff, err));
    last->has_diff = true;
    TRY(atoll__dnnl_reorder(t, &t->backward, &t->logits_grad, &last->diff, err));
    for (uint32_t i = t->net->n_nodes; i-- > 0;) {
        if (atoll__dnnl_backward(t, i, err) != 0) {
            return atoll_fail_at(err, "%s: node %s", t->net->name, t->net->nodes[i].name);
        }
    }
    return 0;
}

int atoll_trainer_open(const struct atoll_net *net, const struct atoll_trainer_opts *o,
                       struct atoll_trainer **out, struct atoll_err *err)
{
    if (o->batch < 1 || o->batch > 4096) {
        return atoll_fail(err, ATOLL_EUSAGE, "batch of %u (1 to 4096 expected)", o->batch);
    }
    TRY(atoll__net_check(net, err));
    struct atoll_trainer *t = atoll_calloc(1, sizeof *t);
    if (t == NULL) {
        return atoll_fail_nomem(err, "a trainer", sizeof *t);
    }
    t->net = net;
    t->batch = o->batch;
    t->nodes = atoll_calloc(net->n_nodes, sizeof *t->nodes);
    int rc = t->nodes ? 0 : atoll_fail_nomem(err, "a trainer", net->n_nodes * sizeof *t->nodes);
    rc = rc ? rc : start_engine(t, o->threads, err);
    rc = rc ? rc : build_forward(t, err);
    rc = rc ? rc : build_backward(t, err);
    rc = rc ? rc : draw_weights(t, o->seed, err);
    if (rc != 0) {
        atoll_trainer_close(&t);
        return rc;
    }
    *out = t;
    return 0;
}

static void free_all(struct atoll_trainer *t)
{
    for (size_t i = 0; i < t->n_primitives; i++) {
        (void)dnnl_primitive_destroy(t->primitives[i]);
    }
    for (size_t i = 0; i < t->n_descs; i++) {
        (void)dnnl_primitive_desc_destroy(t->descs[i]);
    }
    for (size_t i = 0; i < t->n_memories; i++) {
        (void)dnnl_memory_destroy(t->memories[i]);
    }
    for (size_t i = 0; i < t->n_buffers; i++) {
        atoll_free(t->buffers[i]);
    }
    if (t->stream != NULL) {
        (void)dnnl_stream_destroy(t->stream);
    }
    if (t->engine != NULL) {
        (void)dnnl_engine_destroy(t->engine);
    }
}

void atoll_trainer_close(struct atoll_trainer **t)
{
    if (t == NULL || *t == NULL) {
        return;
    }
    free_all(*t);
    atoll_free((*t)->primitives);
    atoll_free((*t)->descs);
    atoll_free((*t)->memories);
    atoll_free((*t)->buffers);
    atoll_free((*t)->evaluate.steps);
    atoll_free((*t)->train.steps);
    atoll_free((*t)->backward.steps);
    atoll_free((*t)->params);
    atoll_free((*t)->nodes);
    atoll_free(*t);
    *t = NULL;
}

/* --------------------------------------------------------------------- passes */

static int run_list(struct atoll_trainer *t, const struct step_list *list, const char *what,
                    struct atoll_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct step *s = &list->steps[i];
        if (s->own != NULL) {
            DNNL_DO(dnnl_stream_wait(t->stream), what);
            atoll__depthwise_run(s->own, t->threads);
            continue;
        }
        DNNL_DO(dnnl_primitive_execute(s->primitive, t->stream, s->n_args, s->args), what);
    }
    DNNL_DO(dnnl_stream_wait(t->stream), what);
    return 0;
}

/* Running means; the variance without bias: times n / (n - 1) of the numbers a channel. */
static void update_running(struct atoll_trainer *t, uint32_t i)
{
    const struct node_state *s = &t->nodes[i];
    const struct atoll_net_node *n = &t->net->nodes[i];
    const float count = (float)t->batch * (float)n->height * (float)n->width;
    const float unbias = count > 1 ? count / (count - 1) : 1;
    float *mean = t->params[s->run_mean].value.data;
    float *variance = t->params[s->run_variance].value.data;
    for (int32_t c = 0; c < n->channels; c++) {
        mean[c] += RUNNING_MOMENTUM * (s->mean.data[c] - mean[c]);
        variance[c] += RUNNING_MOMENTUM * (s->variance.data[c] * unbias - variance[c]);
    }
}

int atoll_trainer_forward(struct atoll_trainer *t, bool training, struct atoll_err *err)
{
    TRY(run_list(t, training ? &t->train : &t->evaluate, "forward pass", err));
    for (uint32_t i = 0; training && i < t->net->n_nodes; i++) {
        if (t->net->nodes[i].op == ATOLL_NET_BATCH_NORM) {
            update_running(t, i);
        }
    }
    return 0;
}

int atoll_trainer_backward(struct atoll_trainer *t, struct atoll_err *err)
{
    return run_list(t, &t->backward, "backward pass", err);
}

float *atoll_trainer_input(struct atoll_trainer *t)
{
    return t->nodes[0].dst.data;
}

const float *atoll_trainer_logits(const struct atoll_trainer *t)
{
    return t->logits.data;
}

float *atoll_trainer_logits_grad(struct atoll_trainer *t)
{
    return t->logits_grad.data;
}

void atoll_trainer_range(const struct atoll_trainer *t, uint32_t node, float *low, float *high)
{
    const struct slab *s = &t->nodes[node].dst;
    float least = 0, most = 0; /* padding is 0, and 0 must be representable anyway */
    for (size_t i = 0; i < s->n; i++) {
        least = s->data[i] < least ? s->data[i] : least;
        most = s->data[i] > most ? s->data[i] : most;
    }
    *low = least;
    *high = most;
}

const struct atoll_net *atoll__trainer_net(const struct atoll_trainer *t)
{
    return t->net;
}

uint32_t atoll__trainer_batch(const struct atoll_trainer *t)
{
    return t->batch;
}

static const char *isa_name(dnnl_cpu_isa_t isa)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {{dnnl_cpu_isa_sse41, "SSE4.1"},
                 {dnnl_cpu_isa_avx, "AVX"},
                 {dnnl_cpu_isa_avx2, "AVX2"},
                 {dnnl_cpu_isa_avx2_vnni, "AVX2 VNNI"},
                 {dnnl_cpu_isa_avx512_core, "AVX-512"},
                 {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI"},
                 {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16"},
                 {dnnl_cpu_isa_avx512_core_amx, "AVX-512 AMX"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].isa == isa) {
            return names[i].name;
        }
    }
    return "the usual instructions";
}

const char *atoll_trainer_kernels(void)
{
    static char text[64];
    const dnnl_version_t *v = dnnl_version();
    (void)snprintf(text, sizeof text, "oneDNN %d.%d.%d, %s", v->major, v->minor, v->patch,
                   isa_name(dnnl_get_effective_cpu_isa()));
    return text;
}
