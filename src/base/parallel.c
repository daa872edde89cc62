/* SPDX-License-Identifier: Apache-2.0 */
/* A loop over independent jobs on several threads. Jobs start in index order, so the failure that
 * is reported is always that of the lowest failing index, whatever the timing. */
#include <atoll/base.h>

#include <pthread.h>
#include <unistd.h>

enum { MAX_THREADS = 256 };

struct pool {
    pthread_mutex_t lock;
    size_t n, next; /* jobs in all; index of the next to start */
    atoll_job_fn job;
    void *user;
    int code;            /* of the lowest failing job so far */
    size_t failed_index; /* valid when code != 0 */
    struct atoll_err *err;
};

static bool take_job(struct pool *p, size_t *index)
{
    (void)pthread_mutex_lock(&p->lock);
    const bool more = p->code == ATOLL_OK && p->next < p->n;
    if (more) {
        *index = p->next++;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return more;
}

static void note_failure(struct pool *p, size_t index, int code, const struct atoll_err *err)
{
    (void)pthread_mutex_lock(&p->lock);
    if (p->code == ATOLL_OK || index < p->failed_index) {
        p->code = code;
        p->failed_index = index;
        if (p->err != NULL) {
            *p->err = *err;
            p->err->code = code;
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
    struct pool *p = arg;
    size_t index = 0;
    while (take_job(p, &index)) {
        struct atoll_err err = {0};
        const int code = p->job(p->user, index, &err);
        if (code != ATOLL_OK) {
            note_failure(p, index, code, &err);
        }
    }
    return NULL;
}

static size_t thread_count(size_t n, unsigned wanted)
{
    size_t threads = wanted;
    if (threads == 0) {
        const long cores = sysconf(_SC_NPROCESSORS_ONLN);
        threads = cores > 0 ? (size_t)cores : 1;
    }
    if (threads > MAX_THREADS) {
        threads = MAX_THREADS;
    }
    return threads < n ? threads : n;
}

/* The caller's thread works too; when the system gives fewer threads the loop is only slower. */
int atoll_parallel(size_t n, unsigned threads, atoll_job_fn job, void *user, struct atoll_err *err)
{
    struct pool p = {.n = n, .job = job, .user = user, .err = err};
    if (pthread_mutex_init(&p.lock, NULL) != 0) {
        return atoll_fail_nomem(err, "a mutex", sizeof p.lock);
    }
    pthread_t helpers[MAX_THREADS];
    size_t started = 0;
    const size_t wanted = thread_count(n, threads);
    while (started + 1 < wanted && pthread_create(&helpers[started], NULL, work, &p) == 0) {
        started++;
    }
    (void)work(&p);
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(helpers[i], NULL);
    }
    (void)pthread_mutex_destroy(&p.lock);
    return p.code;
}
