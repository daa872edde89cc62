/* SPDX-License-Identifier: Apache-2.0 */
/* Each part computes 8 channels: one row of the window at a time, its sums in registers, over all
 * images and rows. Where every column of the window lies inside, no check is made. */
#include "train_depthwise.h"

/* Eight channels; the compiler makes of it what the processor has. */
typedef float lanes
    __attribute__((vector_size(DEPTHWISE_LANES * sizeof(float)), aligned(4), may_alias));

/* libgomp's, which libdnnl is linked to: its team computes here too. */
void GOMP_parallel(void (*fn)(void *), void *data, unsigned num_threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);

#define LOAD(p) (*(const lanes *)(p))
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* All columns of the window, one by one, so that the sums may stay in registers. */
#define COLUMNS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
_Static_assert(DEPTHWISE_KERNEL_MAX == 15, "as many columns as the list has");

/* Adds one row of output pixels to the sums of one row of the window. */
ALWAYS_INLINE void add_row(const struct depthwise *d, const float *src, const float *diff,
                           int32_t kernel_w, lanes *sum)
{
    const int64_t dx = d->src.x;
    for (int32_t x = 0; x < d->out_width; x++) {
        const int32_t left = x * d->stride_w - d->pad_left;
        const lanes g = LOAD(diff + x * d->diff.x);
        if (left >= 0 && left + kernel_w <= d->width) {
#define ADD(k)                                                                                     \
    if ((k) < kernel_w) {                                                                          \
        sum[k] += g * LOAD(src + (left + (k)) * dx);                                               \
    }
            COLUMNS(ADD)
#undef ADD
        } else {
#define ADD(k)                                                                                     \
    if ((k) < kernel_w && left + (k) >= 0 && left + (k) < d->width) {                              \
        sum[k] += g * LOAD(src + (left + (k)) * dx);                                               \
    }
            COLUMNS(ADD)
#undef ADD
        }
    }
}

/* Where image n, channel c (a multiple of 8), row y begins. */
ALWAYS_INLINE const float *row_of(const struct depthwise *d, const struct blocked *b, int32_t n,
                                  int32_t c, int32_t y)
{
    return b->data + n * b->n + c / d->block * b->c + c % d->block + y * b->y;
}

/* One row of the window, 8 channels. */
ALWAYS_INLINE void window_row(const struct depthwise *d, int32_t c, int32_t k, int32_t kernel_w,
                              lanes *sum)
{
    for (int32_t n = 0; n < d->batch; n++) {
        for (int32_t y = 0; y < d->out_height; y++) {
            const int32_t from = y * d->stride_h - d->pad_top + k;
            if (from >= 0 && from < d->height) {
                add_row(d, row_of(d, &d->src, n, c, from), row_of(d, &d->diff, n, c, y), kernel_w,
                        sum);
            }
        }
    }
}

ALWAYS_INLINE void eight_channels(const struct depthwise *d, int32_t c, int32_t kernel_w)
{
    const int32_t last = d->channels - c < DEPTHWISE_LANES ? d->channels - c : DEPTHWISE_LANES;
    for (int32_t k = 0; k < d->kernel_h; k++) {
        lanes sum[DEPTHWISE_KERNEL_MAX] = {{0}};
        window_row(d, c, k, kernel_w, sum);
        for (int32_t i = 0; i < last; i++) {
            float *to = d->weights + ((int64_t)(c + i) * d->kernel_h + k) * kernel_w;
            for (int32_t j = 0; j < kernel_w; j++) {
                to[j] = sum[j][i];
            }
        }
    }
    lanes bias = {0};
    for (int32_t n = 0; n < d->batch && d->bias; n++) {
        for (int32_t y = 0; y < d->out_height; y++) {
            const float *diff = row_of(d, &d->diff, n, c, y);
            for (int32_t x = 0; x < d->out_width; x++) {
                bias += LOAD(diff + x * d->diff.x);
            }
        }
    }
    for (int32_t i = 0; i < last && d->bias; i++) {
        d->bias[c + i] = bias[i];
    }
}

/* Windows of 5 and 7 are unrolled. */
ALWAYS_INLINE void compute(const struct depthwise *d, int32_t c)
{
    if (d->kernel_w == 5) {
        eight_channels(d, c, 5);
    } else if (d->kernel_w == 7) {
        eight_channels(d, c, 7);
    } else {
        eight_channels(d, c, d->kernel_w);
    }
}

static void compute_plain(const struct depthwise *d, int32_t c)
{
    compute(d, c);
}

#if defined(__x86_64__)
/* The same sums in the same order, in registers of eight. */
__attribute__((target("avx2"))) static void compute_avx2(const struct depthwise *d, int32_t c)
{
    compute(d, c);
}
#endif

static void team_member(void *data)
{
    const struct depthwise *d = data;
    void (*part)(const struct depthwise *, int32_t) = compute_plain;
#if defined(__x86_64__)
    part = __builtin_cpu_supports("avx2") ? compute_avx2 : compute_plain;
#endif
    const int32_t team = omp_get_num_threads();
    for (int32_t c = omp_get_thread_num() * DEPTHWISE_LANES; c < d->channels;
         c += team * DEPTHWISE_LANES) {
        part(d, c);
    }
}

void atoll__depthwise_run(const struct depthwise *d, unsigned threads)
{
    struct depthwise copy = *d;
    GOMP_parallel(team_member, &copy, threads, 0);
}
