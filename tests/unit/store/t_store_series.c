/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: round trips on random series, sizes, and bytes that do not decode. */
#include "store_rows.h"

static void samples_round_trip(void **state)
{
    (void)state;
    struct atoll_rng rng;
    atoll_rng_seed(&rng, test_seed());
    for (size_t i = 0; i < test_cases(200); i++) {
        const size_t n = (size_t)atoll_rng_below(&rng, 400);
        double *v = atoll_calloc(n + 1, sizeof *v), *back = NULL;
        for (size_t k = 0; k < n; k++) {
            v[k] = i % 2 ? 5000.0 * (1.0 + 0.014 * atoll_rng_normal(&rng))
                         : ((double)atoll_rng_below(&rng, UINT64_C(1) << 50) - 5e14) / 100.0;
        }
        struct atoll_buf b = {0};
        struct atoll_err err = {0};
        assert_int_equal(atoll__series_pack_samples(v, n, &b, &err), 0);
        if (n) {
            assert_int_equal(atoll__series_unpack_samples(b.data, b.size, n, &back, &err), 0);
            assert_int_equal(atoll__series_unpack_samples(b.data, b.size, n + 1, &back, &err),
                             ATOLL_EINPUT);
        }
        for (size_t k = 0; k < n; k++) {
            test_close(back[k], v[k], 0.0051);
        }
        if (i % 2 && n > 100) {
            assert_true(b.size < n * 3); /* 1.4 % of 5 ms in 0.01 us: 14 bits of noise */
        }
        atoll_free(back);
        atoll_free(v);
        atoll_buf_finish(&b);
    }
    struct atoll_buf b = {0};
    const double bad = NAN;
    assert_int_equal(atoll__series_pack_samples(&bad, 1, &b, NULL), ATOLL_EUSAGE);
}

static void trace_and_timeline_round_trip(void **state)
{
    (void)state;
    enum { N = 3000, RAILS = 3 };
    struct atoll_rng rng;
    atoll_rng_seed(&rng, test_seed());
    struct atoll_err err = {0};
    static uint64_t t_ns[N];
    static float mw[N * RAILS];
    static struct atoll_span spans[N];
    for (size_t i = 0; i < N; i++) {
        t_ns[i] = i * 1000000 + (i % 100 == 0 ? 1 : 0);
        for (size_t r = 0; r < RAILS; r++) {
            mw[i * RAILS + r] = (float)(1000.0 + 10.0 * atoll_rng_normal(&rng));
        }
        spans[i] = (struct atoll_span){i * 500,           i * 500 + atoll_rng_below(&rng, 900),
                                       (uint32_t)(i % 8), (uint32_t)(i % 3),
                                       (uint32_t)(i % 5), i / 5,
                                       (uint8_t)(i % 6)};
    }
    struct atoll_buf b = {0};
    uint64_t *t = NULL;
    float *p = NULL;
    assert_int_equal(atoll__series_pack_trace(t_ns, mw, N, RAILS, &b, &err), 0);
    assert_true(b.size < N * RAILS * 4);
    assert_int_equal(atoll__series_unpack_trace(b.data, b.size, N, RAILS, &t, &p, &err), 0);
    assert_memory_equal(t, t_ns, sizeof t_ns);
    assert_memory_equal(p, mw, sizeof mw);
    atoll_free(t);
    atoll_free(p);
    assert_int_equal(atoll__series_unpack_trace(b.data, b.size, N, RAILS + 1, &t, &p, &err),
                     ATOLL_EINPUT);
    atoll_buf_finish(&b);
    struct atoll_span *s = NULL;
    assert_int_equal(atoll__series_pack_timeline(spans, N, &b, &err), 0);
    assert_true(b.size < N * 8);
    assert_int_equal(atoll__series_unpack_timeline(b.data, b.size, N, &s, &err), 0);
    for (size_t i = 0; i < N; i++) {
        assert_true(s[i].start_ns == spans[i].start_ns && s[i].end_ns == spans[i].end_ns &&
                    s[i].tpu == spans[i].tpu && s[i].pipeline == spans[i].pipeline &&
                    s[i].stage == spans[i].stage && s[i].item == spans[i].item &&
                    s[i].kind == spans[i].kind);
    }
    atoll_free(s);
    atoll_buf_finish(&b);
}

static void random_bytes_never_hurt(void **state)
{
    (void)state;
    struct atoll_rng rng;
    atoll_rng_seed(&rng, test_seed());
    struct atoll_err err = {0};
    struct atoll_buf good = {0};
    double v[400];
    for (size_t i = 0; i < 400; i++) {
        v[i] = 1e6 * atoll_rng_unit(&rng);
    }
    assert_int_equal(atoll__series_pack_samples(v, 400, &good, &err), 0);
    assert_int_equal(good.data[0], 'Z');
    assert_true(good.size <= 4000);
    for (size_t i = 0; i < test_cases(3000); i++) {
        uint8_t bytes[4000];
        size_t n = (size_t)atoll_rng_below(&rng, 600);
        atoll_rng_bytes(&rng, bytes, n);
        if (i % 2 && n > 2) {
            bytes[0] = i % 4 == 1 ? 'S' : 'Z';
            bytes[1] = (uint8_t)(n - 2);
        }
        if (i % 5 == 0) {
            n = good.size;
            memcpy(bytes, good.data, n);
            bytes[atoll_rng_below(&rng, n)] ^= (uint8_t)(1u << atoll_rng_below(&rng, 8));
        }
        double *s = NULL;
        uint64_t *t = NULL;
        float *p = NULL;
        struct atoll_span *spans = NULL;
        int rc = atoll__series_unpack_samples(bytes, n, i % 5 == 0 ? 400 : 100, &s, &err);
        assert_true(rc == 0 || rc == ATOLL_EINPUT);
        rc = atoll__series_unpack_trace(bytes, n, 20, 2, &t, &p, &err);
        assert_true(rc == 0 || rc == ATOLL_EINPUT);
        rc = atoll__series_unpack_timeline(bytes, n, 10, &spans, &err);
        assert_true(rc == 0 || rc == ATOLL_EINPUT);
        atoll_free(s);
        atoll_free(t);
        atoll_free(p);
        atoll_free(spans);
    }
    /* A small blob may not claim to be huge. */
    const uint8_t bomb[] = {'Z',  0xff, 0xff, 0xff, 0x7f, 0x78, 0x9c,
                            0x03, 0x00, 0x00, 0x00, 0x00, 0x01};
    double *s = NULL;
    assert_int_equal(atoll__series_unpack_samples(bomb, sizeof bomb, 1, &s, &err), ATOLL_EINPUT);
    atoll_buf_finish(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_round_trip),
        cmocka_unit_test(trace_and_timeline_round_trip),
        cmocka_unit_test(random_bytes_never_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
