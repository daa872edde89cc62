/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** (Blackman & Vigna, ACM TOMS 47(4), 2021), seeded through splitmix64. */
#include <atoll/base.h>

#include <math.h>

static const double two_pi = 6.283185307179586476925;

static uint64_t splitmix64(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t v, unsigned bits)
{
    return (v << bits) | (v >> (64 - bits));
}

void atoll_rng_seed(struct atoll_rng *r, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        r->s[i] = splitmix64(&seed);
    }
}

uint64_t atoll_seed_mix(uint64_t seed, uint64_t part)
{
    uint64_t state = seed;
    state = splitmix64(&state) ^ part;
    return splitmix64(&state);
}

uint64_t atoll_rng_u64(struct atoll_rng *r)
{
    uint64_t *s = r->s;
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The lowest 2^64 mod n values are thrown away, so that each remainder is equally likely. */
uint64_t atoll_rng_below(struct atoll_rng *r, uint64_t n)
{
    const uint64_t skip = (UINT64_MAX - n + 1) % n;
    uint64_t v = atoll_rng_u64(r);
    while (v < skip) {
        v = atoll_rng_u64(r);
    }
    return v % n;
}

double atoll_rng_unit(struct atoll_rng *r)
{
    return (double)(atoll_rng_u64(r) >> 11) * 0x1.0p-53;
}

/* Box-Muller; the second value is not kept, so that the state is the four words alone. */
double atoll_rng_normal(struct atoll_rng *r)
{
    const double radius = sqrt(2.0 * atoll_rng_exponential(r));
    return radius * cos(two_pi * atoll_rng_unit(r));
}

double atoll_rng_exponential(struct atoll_rng *r)
{
    return -log1p(-atoll_rng_unit(r));
}

void atoll_rng_shuffle(struct atoll_rng *r, uint32_t *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)atoll_rng_below(r, i);
        const uint32_t swap = v[i - 1];
        v[i - 1] = v[j];
        v[j] = swap;
    }
}

/* Little-endian on every machine, so that the bytes are the same everywhere. */
void atoll_rng_bytes(struct atoll_rng *r, void *out, size_t n)
{
    unsigned char *bytes = out;
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++) {
        word = i % 8 == 0 ? atoll_rng_u64(r) : word >> 8;
        bytes[i] = (unsigned char)(word & 0xff);
    }
}
