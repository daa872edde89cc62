/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (libmd) for identity; FNV-1a for tables and canonical dumps. */
#include <atoll/base.h>

#include <sys/types.h>

#include <sha2.h>

void atoll_sha256_hex(const void *bytes, size_t n, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX ctx;
    SHA256Init(&ctx);
    if (n > 0) {
        SHA256Update(&ctx, bytes, n);
    }
    SHA256Final(digest, &ctx);
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
}

/* Offset basis and prime of FNV-1a 64; `seed` 0 gives the published function. */
uint64_t atoll_fnv1a(const void *bytes, size_t n, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
