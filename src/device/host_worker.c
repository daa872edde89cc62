/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of one "TPU": takes jobs in order, copies tensors in, runs, copies tensors out. */
#include "host_internal.h"

#include <string.h>

int atoll__host_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t a;
    int rc = pthread_condattr_init(&a);
    if (rc == 0) {
        rc = pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
        rc = rc != 0 ? rc : pthread_cond_init(c, &a);
        (void)pthread_condattr_destroy(&a);
    }
    return rc;
}

static bool take(struct atoll__host_worker *w, struct atoll__host_job *job)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->length == 0 && !w->stop) {
        (void)pthread_cond_wait(&w->wake, &w->lock);
    }
    const bool go_on = !w->stop;
    if (go_on) {
        *job = w->queue[w->head];
        w->head = (w->head + 1) % ATOLL__HOST_QUEUE;
        w->length--;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void copy_in(const struct atoll__host_slot *s, const struct atoll__host_job *job)
{
    uint32_t n = 0;
    const struct atoll_interp_tensor *t = atoll_interp_inputs(s->interp, &n);
    for (uint32_t i = 0; job->in != NULL && i < n; i++) {
        memcpy(t[i].data, job->in[i], t[i].bytes);
    }
}

/* The buffers have the size that the model declares; an output that grew does not fit. */
static int copy_out(const struct atoll__host_slot *s, const struct atoll_model *m,
                    const struct atoll__host_job *job, struct atoll_err *err)
{
    uint32_t n = 0;
    const struct atoll_interp_tensor *t = atoll_interp_outputs(s->interp, &n);
    for (uint32_t i = 0; job->out != NULL && i < n; i++) {
        const uint64_t room = m->tensors[m->outputs[i]].bytes;
        if (t[i].bytes != room) {
            return atoll_fail(err, ATOLL_EDEVICE, "output %s has %zu bytes (%llu expected)",
                              t[i].name, t[i].bytes, (unsigned long long)room);
        }
        memcpy(job->out[i], t[i].data, t[i].bytes);
    }
    return 0;
}

static void run_job(struct atoll__host_worker *w, const struct atoll__host_job *job,
                    struct atoll_device_event *ev)
{
    const struct atoll__host_slot *s = w->host->slots[job->slot];
    struct atoll_err err = {0};
    const uint64_t start = atoll_now_ns();
    copy_in(s, job);
    const uint64_t in = atoll_now_ns();
    int rc = s->has_state ? atoll_interp_reset(s->interp, &err) : 0;
    rc = rc ? rc : atoll_interp_invoke(s->interp, &err);
    const uint64_t run = atoll_now_ns();
    rc = rc ? rc : copy_out(s, s->model, job, &err);
    const uint64_t end = atoll_now_ns();
    if (rc != 0) {
        atoll_log(ATOLL_LOG_WARN, "%s", err.text);
    }
    *ev = (struct atoll_device_event){.kind = ATOLL_EVENT_DONE,
                                      .tag = job->tag,
                                      .slot = job->slot,
                                      .tpu = w->tpu,
                                      .time_ns = end,
                                      .submit_ns = job->submit_ns,
                                      .start_ns = start,
                                      .input_ns = in - start,
                                      .compute_ns = run - in,
                                      .output_ns = end - run,
                                      .status = rc};
}

static void report(struct atoll__host *h, const struct atoll_device_event *ev)
{
    (void)pthread_mutex_lock(&h->lock);
    h->done[(h->head + h->length) % h->cap] = *ev;
    h->length++;
    (void)pthread_cond_signal(&h->wake);
    (void)pthread_mutex_unlock(&h->lock);
}

static void *work(void *arg)
{
    struct atoll__host_worker *w = arg;
    struct atoll__host_job job;
    while (take(w, &job)) {
        struct atoll_device_event ev;
        run_job(w, &job, &ev);
        report(w->host, &ev);
    }
    return NULL;
}

int atoll__host_worker_start(struct atoll__host *h, uint32_t tpu, struct atoll_err *err)
{
    struct atoll__host_worker *w = &h->workers[tpu];
    if (w->started) {
        return 0;
    }
    w->queue = atoll_calloc(ATOLL__HOST_QUEUE, sizeof *w->queue);
    if (w->queue == NULL) {
        return atoll_fail_nomem(err, "the queue of a worker", ATOLL__HOST_QUEUE * sizeof *w->queue);
    }
    w->host = h;
    w->tpu = tpu;
    const bool locks = pthread_mutex_init(&w->lock, NULL) == 0;
    if (!locks || atoll__host_cond_init(&w->wake) != 0) {
        if (locks) {
            (void)pthread_mutex_destroy(&w->lock);
        }
        atoll_free(w->queue);
        w->queue = NULL;
        return atoll_fail_nomem(err, "a lock", 0);
    }
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
        (void)pthread_cond_destroy(&w->wake);
        (void)pthread_mutex_destroy(&w->lock);
        atoll_free(w->queue);
        w->queue = NULL;
        return atoll_fail(err, ATOLL_ENOMEM, "the system gives no thread for worker %u", tpu);
    }
    w->started = true;
    return 0;
}

void atoll__host_worker_stop(struct atoll__host_worker *w)
{
    if (!w->started) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    atoll_free(w->queue);
    w->started = false;
}
