/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of a whole sweep (device, meter, statistics, database) in processor time:
 * share/experiments/quick.yaml on one thread and on eight. Aim: the demo's 16 875 runs within 30 s
 * on two cores, so 280 runs a second and core. */
#include <atoll/bench.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Processor time of all threads: other programs on the machine do not count. */
static uint64_t busy_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static int sweep(const struct atoll_experiment *e, unsigned threads, double *runs_per_s,
                 struct atoll_err *err)
{
    char dir[] = "/tmp/atoll-bench-XXXXXX", path[64];
    if (!mkdtemp(dir)) {
        return atoll_fail(err, ATOLL_EIO, "%s: cannot be made", dir);
    }
    (void)snprintf(path, sizeof path, "%s/s.db", dir);
    const struct atoll_bench_opts o = {.threads = threads};
    struct atoll_bench_summary sum = {0};
    const uint64_t from_ns = busy_ns();
    const int code = atoll_bench(e, path, &o, &sum, err);
    *runs_per_s = (double)sum.done * 1e9 / (double)(busy_ns() - from_ns);
    (void)unlink(path);
    (void)rmdir(dir);
    return code;
}

int main(void)
{
    struct atoll_experiment *e = NULL;
    struct atoll_err err = {0};
    char *path = NULL;
    double one = 0, eight = 0;
    int code = atoll_share_find(NULL, "experiments/quick.yaml", &path, &err);
    const uint64_t from_ns = busy_ns();
    code = code ? code : atoll_experiment_open(path, NULL, &e, &err);
    const double open_s = (double)(busy_ns() - from_ns) / 1e9;
    code = code ? code : sweep(e, 1, &one, &err);
    code = code ? code : sweep(e, 8, &eight, &err);
    if (code == 0) {
        printf(
            "sweep %.0f runs in a processor second on one thread, %.0f on eight, ratio %.2f; aim "
            "280, ratio %.2f; opened in %.3f s\n",
            one, eight, eight / one, one / 280.0, open_s);
    } else {
        fprintf(stderr, "%s\n", err.text);
    }
    atoll_experiment_close(&e);
    atoll_free(path);
    return code != 0;
}
