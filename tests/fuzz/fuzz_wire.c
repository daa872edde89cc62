/* SPDX-License-Identifier: Apache-2.0 */
/* The frame decoder on any bytes: what it accepts can be said again in the same bytes, it always
 * takes at least one byte, and how the bytes are cut into calls makes no difference. */
#include "fuzz.h"

#include "atoll_wire.h"

#include <string.h>

enum { HASH_START = 1469598103, HASH_STEP = 16777619 };

static uint32_t check_frame(const struct atoll_wire_frame *f, uint32_t hash)
{
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    const size_t n = atoll_wire_encode(f, bytes);
    FUZZ_CHECK(n >= 8);
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK((bytes[i] == 0) == (i == n - 1));
        hash = (hash ^ bytes[i]) * HASH_STEP;
    }
    return hash;
}

/* A hash of all frames that come out of chunks of `chunk` bytes; good and damaged frames. */
static uint32_t run(const uint8_t *data, size_t size, size_t chunk, uint32_t counts[2])
{
    struct atoll_wire_decoder d;
    struct atoll_wire_track t;
    uint32_t hash = HASH_START;
    memset(&d, 0, sizeof d);
    memset(&t, 0, sizeof t);
    while (size > 0) {
        size_t left = chunk < size ? chunk : size;
        size -= left;
        while (left > 0) {
            struct atoll_wire_frame f;
            bool got = false;
            const size_t taken = atoll_wire_decode(&d, data, left, &f, &got);
            FUZZ_CHECK(taken > 0 && taken <= left);
            data += taken;
            left -= taken;
            hash = got ? check_frame(&f, hash) : hash;
            uint64_t first, missing, own;
            if (got && f.type == ATOLL_WIRE_DATA &&
                atoll_wire_follow(&t, &f, &first, &missing, &own) != ATOLL_WIRE_DUPLICATE) {
                FUZZ_CHECK(own <= missing && t.next_scan == first + f.data.n_scans);
            }
        }
    }
    counts[0] = d.good;
    counts[1] = d.damaged;
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t whole[2];
    uint32_t cut[2];
    const uint32_t hash = run(data, size, size, whole);
    FUZZ_CHECK(hash == run(data, size, 1, cut) && memcmp(whole, cut, sizeof cut) == 0);
    FUZZ_CHECK(hash == run(data, size, 7, cut) && memcmp(whole, cut, sizeof cut) == 0);
    return 0;
}
