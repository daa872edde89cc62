/* SPDX-License-Identifier: Apache-2.0 */
/* Each sentence of the verdict, and the doctored database that turns it round. */
#include "report_scratch.h"

#include <atoll/report.h>

#include <math.h>
#include <string.h>

#define STREAMER "resnet50"
#define SMALL "mobilenet_v1"

static struct atoll_verdict verdict_of(const struct fixture *f)
{
    struct atoll_err err = {0};
    struct atoll_verdict v = {0};
    struct atoll_store *s = scratch_store("verdict.db", f);
    if (atoll_verdict_make(s, NULL, &v, &err)) {
        fail_msg("%s", err.text);
    }
    atoll_store_close(&s);
    return v;
}

static const struct atoll_finding *find(const struct atoll_verdict *v, const char *model,
                                        const char *topic)
{
    for (size_t i = 0; i < v->n; i++) {
        if (strcmp(v->findings[i].model, model) == 0 && strcmp(v->findings[i].topic, topic) == 0) {
            return &v->findings[i];
        }
    }
    fail_msg("no finding about %s of %s", topic, model);
    return NULL;
}

static void expect(const char *sentence, const char *part)
{
    if (!strstr(sentence, part)) {
        fail_msg("'%s' does not say '%s'", sentence, part);
    }
}
static void expect_not(const char *sentence, const char *part)
{
    if (strstr(sentence, part)) {
        fail_msg("'%s' says '%s'", sentence, part);
    }
}

/* The sentence of a model in a database where rows pass through the doctor first. */
static void check(struct fixture f, const char *model, const char *topic, bool beyond_noise,
                  const char *says, const char * not )
{
    struct atoll_verdict v = verdict_of(&f);
    const struct atoll_finding *k = find(&v, model, topic);
    expect(k->sentence, says);
    if (not ) {
        expect_not(k->sentence, not );
    }
    if (k->beyond_noise != beyond_noise) {
        fail_msg("beyond noise is %d: %s", k->beyond_noise, k->sentence);
    }
    atoll_verdict_finish(&v);
}

static bool is(const char *a, const char *part)
{
    return strstr(a, part) != NULL;
}

/* ---------------------------------------------------------------------- streams */

static void all_resident(void *u, struct atoll_plan_row *r)
{
    (void)u;
    r->off_chip_bytes = 0;
}
static void never_resident(void *u, struct atoll_plan_row *r)
{
    (void)u;
    r->off_chip_bytes = 300000.0 * (double)(20 - r->n_stages);
}

static void streams(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    check(f, STREAMER, "streams", true, "17.0\xc2\xa0MiB cross the link", "Nothing streams");
    check(f, STREAMER, "streams", true, "4 TPUs are the fewest that hold it all", NULL);
    check(f, SMALL, "streams", true, "Nothing streams: all 4.30\xc2\xa0MiB", NULL);
    f.doctor_plan = all_resident;
    check(f, STREAMER, "streams", true, "Nothing streams", "It streams");
    f.doctor_plan = never_resident;
    check(f, SMALL, "streams", true, "It streams", NULL);
    check(f, SMALL, "streams", true, "no pipeline tried holds it all; least, 4.58\xc2\xa0MiB",
          "fewest");
}

/* ---------------------------------------------------------------------- winners */

static void slow_pipelines(void *u, struct atoll_run_row *r)
{
    (void)u;
    if (is(r->workload, "latency") && r->tpus > 1) {
        r->p50_us = r->p50_us * 0 + 60000 + (double)r->tpus * 1000 + (double)r->repeat;
    }
}
static void equal_latency(void *u, struct atoll_run_row *r)
{
    (void)u;
    r->p50_us = 10000 * (1 + 0.004 * (double)((r->order_index * 7919) % 11 - 5));
}

static void latency(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    check(f, STREAMER, "latency", true, "the vendor's cuts on 3 TPUs",
          "no difference beyond noise");
    check(f, STREAMER, "latency", true, "; 3.99 times (", NULL);
    check(f, STREAMER, "latency", true, "as fast as one TPU", NULL);
    check(f, SMALL, "latency", false, "no difference beyond noise between one TPU", NULL);
    f.doctor_run = slow_pipelines;
    check(f, STREAMER, "latency", true, "one TPU alone", "vendor's cuts on 3 TPUs,");
    f.doctor_run = equal_latency;
    check(f, STREAMER, "latency", false, "no difference beyond noise between one TPU",
          "as fast as");
}

static void fast_replicas(void *u, struct atoll_run_row *r)
{
    (void)u;
    if (is(r->strategy, "replicas") && r->tpus == 4) {
        r->throughput_hz *= 20;
        r->energy_mj /= 20;
    }
}
static void equal_load(void *u, struct atoll_run_row *r)
{
    (void)u;
    const double jitter = 1 + 0.004 * (double)((r->order_index * 7919) % 11 - 5);
    r->throughput_hz = 100 * jitter;
    r->energy_mj = 50 * jitter;
}

static void throughput_and_energy(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    check(f, STREAMER, "throughput", true, "the vendor's cuts on 4 TPUs", NULL);
    check(f, STREAMER, "throughput", true, "the throughput of one TPU", NULL);
    check(f, STREAMER, "energy", true, "the vendor's cuts on 4 TPUs", NULL);
    check(f, STREAMER, "energy", true, "less than one TPU", NULL);
    f.doctor_run = fast_replicas;
    check(f, STREAMER, "throughput", true, "4 replicas", "vendor");
    check(f, STREAMER, "energy", true, "4 replicas", "vendor");
    f.doctor_run = equal_load;
    check(f, STREAMER, "throughput", false, "no difference beyond noise", "the throughput of");
    check(f, STREAMER, "energy", false, "no difference beyond noise", "less than");
}

/* Each figure carries its interval, and one repeat has none. */
static void intervals(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    check(f, STREAMER, "latency", true, "ms (95 % ", NULL);
    check(f, STREAMER, "throughput", true, "per second (95 % ", NULL);
    check(f, STREAMER, "energy", true, "mJ (95 % ", NULL);
    f.repeats = 1;
    check(f, STREAMER, "latency", false, "with one repeat of each the noise is not known",
          "as fast as");
    check(f, STREAMER, "throughput", false, "one repeat, no interval", NULL);
}

/* ------------------------------------------------------------------- bottleneck */

static void accuracy(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    f.models = 2;
    f.tpus = 2;
    f.training = true;
    check(f, "mobilenet_v1", "accuracy", true,
          "Right on 91.97 % (95 % 91.42 to 92.49) of 10000 images of fashion_mnist, part test "
          "(measured on the host, xnnpack kernels).",
          "corrupt");
}

static void slow_last(void *u, struct atoll_stage_row *r)
{
    (void)u;
    if (r->stage == 3) {
        r->service_us *= 10;
        r->output_us = r->service_us * 0.9;
    }
}

static void bottleneck(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    check(f, STREAMER, "bottleneck", true, "stage 1 of 4, TPU 0, operators 0 to 17: ", "stage 4");
    check(f, STREAMER, "bottleneck", true, "the largest part of it compute", NULL);
    f.doctor_stage = slow_last;
    check(f, STREAMER, "bottleneck", true, "stage 4 of 4, TPU 3", "stage 1 of");
    check(f, STREAMER, "bottleneck", true, "the largest part of it its output", NULL);
}

/* --------------------------------------------------------------------- headline */

static void headline(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    struct atoll_verdict v = verdict_of(&f);
    expect(v.headline[0], "4 models on ASUS CRL-G18U-P3DF");
    expect(v.headline[0], "2 stream weights on one TPU, 2 of them stop with 2 to 4 TPUs");
    expect(v.headline[1], "several TPUs help 2 of 4 models, most resnet50");
    expect(v.headline[1], "no gain beyond noise for mobilenet_v1, mobilenet_v2");
    expect(v.headline[2], "throughput: ");
    atoll_verdict_finish(&v);
    f.doctor_plan = all_resident;
    f.doctor_run = equal_latency;
    v = verdict_of(&f);
    expect(v.headline[0], "none streams weights");
    expect(v.headline[1], "no gain beyond noise for any of 4 models");
    atoll_verdict_finish(&v);
}

/* The same arrangement under two names is one: nothing ties with itself. */
static void equal_arrangements(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    f.tpus = 1; /* single, replicas, vendor and partition:1 are the same one stage */
    check(f, STREAMER, "latency", false, "nothing else was run to compare", "vendor");
}

static void unknown_experiment(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    struct atoll_err err = {0};
    struct atoll_verdict v = {0};
    f.models = 1;
    struct atoll_store *s = scratch_store("unknown.db", &f);
    assert_int_equal(atoll_verdict_make(s, "no such key", &v, &err), ATOLL_ENOTFOUND);
    expect(err.text, "no such key");
    assert_null(v.arena);
    atoll_verdict_finish(&v);
    atoll_verdict_finish(NULL);
    atoll_store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams),
        cmocka_unit_test(latency),
        cmocka_unit_test(throughput_and_energy),
        cmocka_unit_test(intervals),
        cmocka_unit_test(accuracy),
        cmocka_unit_test(bottleneck),
        cmocka_unit_test(headline),
        cmocka_unit_test(equal_arrangements),
        cmocka_unit_test(unknown_experiment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
