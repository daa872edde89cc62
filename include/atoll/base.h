/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base.h
 * Room `base`: what every other room stands on. Errors as values, allocation that can be made to
 * fail, arenas, text buffers, checked arithmetic, a seeded generator, hashes, the clock, progress.
 * Its sisters: stats.h (statistics), yaml.h (configuration files), json.h (JSON answers).
 *
 * The library never exits, aborts or prints. A function that can fail returns 0 or a negative
 * ATOLL_E... code, leaves its outputs untouched on failure, and puts one sentence for people into
 * the optional `struct atoll_err` (place, what was found, what was expected).
 */
#ifndef ATOLL_BASE_H
#define ATOLL_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ATOLL_API __attribute__((visibility("default")))
#define ATOLL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define ATOLL_API
#define ATOLL_PRINTF(fmt, args)
#endif

/** Version of library, command and file formats' `version` field. */
#define ATOLL_VERSION "0.1.0"

/* ------------------------------------------------------------------ errors */

/** The one list of error codes: X(name, exit code of the command, text). Codes are -1, -2, ... in
 *  this order; new ones are added at the end, none is reused. */
#define ATOLL_ERR_MAP(X)                                                                           \
    X(NO, 1, "the answer is no")                                                                   \
    X(USAGE, 2, "the request does not fit")                                                        \
    X(INPUT, 3, "bad input")                                                                       \
    X(NOTFOUND, 3, "not found")                                                                    \
    X(UNSUPPORTED, 3, "not supported")                                                             \
    X(LIMIT, 3, "a limit was exceeded")                                                            \
    X(DEVICE, 4, "device or meter failed")                                                         \
    X(NOMEM, 5, "out of memory")                                                                   \
    X(IO, 5, "reading or writing failed")                                                          \
    X(BUSY, 5, "locked by somebody else")                                                          \
    X(INTERNAL, 5, "a fault of atoll's own")

enum atoll_code {
    ATOLL_OK = 0,
#define ATOLL_X_POS(name, exit_code, text) ATOLL_POS_##name,
    ATOLL_ERR_MAP(ATOLL_X_POS)
#undef ATOLL_X_POS
#define ATOLL_X_NEG(name, exit_code, text) ATOLL_E##name = -(int)ATOLL_POS_##name,
        ATOLL_ERR_MAP(ATOLL_X_NEG)
#undef ATOLL_X_NEG
};

/** Room for one sentence. Zero-initialise before use; needs no clean-up. */
struct atoll_err {
    int code;        ///< 0 or the negative code of the last failure
    char text[1000]; ///< the sentence, without a final newline; empty when code is 0
};

/** Symbolic name of a code ("EINPUT"), "OK" for 0, "?" for an unknown one. */
ATOLL_API const char *atoll_code_name(int code);
/** One-phrase text of a code. */
ATOLL_API const char *atoll_code_text(int code);
/** Exit code of the command for an error code (contracts: 0..5). */
ATOLL_API int atoll_code_exit(int code);
/** Fills `err` (may be NULL) with `code` and the formatted sentence, and returns `code`. */
ATOLL_API int atoll_fail(struct atoll_err *err, int code, const char *fmt, ...) ATOLL_PRINTF(3, 4);
/** Puts a place in front of the sentence in `err` ("file: sentence"); returns err's code. */
ATOLL_API int atoll_fail_at(struct atoll_err *err, const char *fmt, ...) ATOLL_PRINTF(2, 3);
/** ATOLL_ENOMEM with a sentence that names what was asked for. */
ATOLL_API int atoll_fail_nomem(struct atoll_err *err, const char *what, size_t bytes);

/* --------------------------------------------------------------------- log */

enum atoll_log_level { ATOLL_LOG_DEBUG, ATOLL_LOG_INFO, ATOLL_LOG_WARN };
typedef void (*atoll_log_fn)(void *user, enum atoll_log_level level, const char *sentence);
/** Sets the one log callback of the process (NULL: silence, the default), before threads start. */
ATOLL_API void atoll_log_set(atoll_log_fn fn, void *user);
ATOLL_API void atoll_log(enum atoll_log_level level, const char *fmt, ...) ATOLL_PRINTF(2, 3);

/* -------------------------------------------------------------- allocation */

/** malloc/calloc/realloc/free with a counter through which tests make the n-th call fail.
 *  A size of 0 gives a unique pointer. The caller owns the result: atoll_free (NULL allowed). */
ATOLL_API void *atoll_alloc(size_t bytes);
ATOLL_API void *atoll_calloc(size_t count, size_t bytes); ///< zeroed; overflow gives NULL
ATOLL_API void *atoll_realloc(void *p, size_t bytes);
ATOLL_API void atoll_free(void *p);
ATOLL_API char *atoll_strdup(const char *s);
/** Makes the n-th allocation from now on fail (1 = the next), once, with errno ENOMEM. 0: none. */
ATOLL_API void atoll_alloc_fail_after(uint64_t n);
/** Allocations made since the process started. */
ATOLL_API uint64_t atoll_alloc_count(void);
/** Grows `*array` (elements of `elem` bytes, capacity `*cap`) to hold `need`; doubles.
 *  0 or ATOLL_ENOMEM, the array stays valid either way. */
ATOLL_API int atoll_grow(void **array, size_t *cap, size_t need, size_t elem);

/* ------------------------------------------------------------------- arena */

/** Memory that is freed as a whole. Zero-initialise, or atoll_arena_init; pointers stay valid
 *  until atoll_arena_finish. Not thread-safe. */
struct atoll_arena {
    struct atoll_arena_block *blocks; ///< private
    size_t used_bytes;                ///< handed out so far
};
ATOLL_API void atoll_arena_init(struct atoll_arena *a);
ATOLL_API void atoll_arena_finish(struct atoll_arena *a); ///< frees all; the arena can be used anew
/** Memory is zeroed and 16-byte aligned; NULL: no memory, or the product overflows. */
ATOLL_API void *atoll_arena_alloc(struct atoll_arena *a, size_t bytes);
ATOLL_API void *atoll_arena_array(struct atoll_arena *a, size_t count, size_t bytes);
ATOLL_API char *atoll_arena_strndup(struct atoll_arena *a, const char *s, size_t n);
ATOLL_API char *atoll_arena_printf(struct atoll_arena *a, const char *fmt, ...) ATOLL_PRINTF(2, 3);

/* ------------------------------------------------------------- text buffer */

/** A growing byte buffer, always NUL-terminated. Zero-initialise. The first failure is remembered
 *  and later appends do nothing, so check `failed` once at the end. */
struct atoll_buf {
    char *data; ///< NULL while empty
    size_t size, cap;
    bool failed;
};
ATOLL_API void atoll_buf_finish(struct atoll_buf *b);
ATOLL_API void atoll_buf_append(struct atoll_buf *b, const void *bytes, size_t n);
ATOLL_API void atoll_buf_puts(struct atoll_buf *b, const char *s);
ATOLL_API void atoll_buf_printf(struct atoll_buf *b, const char *fmt, ...) ATOLL_PRINTF(2, 3);
/** Takes the bytes out (owned by the caller, atoll_free); NULL when an append failed. */
ATOLL_API char *atoll_buf_take(struct atoll_buf *b, size_t *size);
/** "604.50KiB", "3.41MiB", "0.00B": powers of 1024, two decimals, as edgetpu_compiler prints. */
ATOLL_API void atoll_format_bytes(char out[32], uint64_t bytes);

/** Prints a finite number so that it reads back to the same double: as short as 15 digits can say
 *  it, else 16 or 17; with a point in every locale. */
ATOLL_API void atoll_format_double(char out[40], double v);
/** Reads all of `text` as a decimal number ("-1.5e3"; no hex, inf, nan, blanks), in any locale.
 *  False when it is not one or is too large for a double; `*out` is then untouched. */
ATOLL_API bool atoll_parse_double(const char *text, double *out);

/* ------------------------------------------------------ checked arithmetic */

/** True and `*out` set when the result fits; false otherwise (out untouched). */
ATOLL_API bool atoll_add_u64(uint64_t a, uint64_t b, uint64_t *out);
ATOLL_API bool atoll_sub_u64(uint64_t a, uint64_t b, uint64_t *out);
ATOLL_API bool atoll_mul_u64(uint64_t a, uint64_t b, uint64_t *out);
/** Smallest multiple of `m` (> 0) that is >= v; saturates at UINT64_MAX. */
ATOLL_API uint64_t atoll_pad_u64(uint64_t v, uint64_t m);
/** ceil(a / b), b > 0. */
ATOLL_API uint64_t atoll_ceil_div_u64(uint64_t a, uint64_t b);

/* -------------------------------------------------------------- randomness */

/** xoshiro256** (Blackman & Vigna 2021), seeded through splitmix64: the same seed gives the same
 *  stream on every machine. One owner per generator; not thread-safe. */
struct atoll_rng {
    uint64_t s[4];
};
ATOLL_API void atoll_rng_seed(struct atoll_rng *r, uint64_t seed);
/** Seed for a named part of a run, so that parts do not share a stream. */
ATOLL_API uint64_t atoll_seed_mix(uint64_t seed, uint64_t part);
ATOLL_API uint64_t atoll_rng_u64(struct atoll_rng *r);
/** Uniform in [0, n), n > 0, without bias. */
ATOLL_API uint64_t atoll_rng_below(struct atoll_rng *r, uint64_t n);
ATOLL_API double atoll_rng_unit(struct atoll_rng *r);        ///< uniform in [0, 1)
ATOLL_API double atoll_rng_normal(struct atoll_rng *r);      ///< mean 0, standard deviation 1
ATOLL_API double atoll_rng_exponential(struct atoll_rng *r); ///< mean 1
ATOLL_API void atoll_rng_shuffle(struct atoll_rng *r, uint32_t *v, size_t n);
ATOLL_API void atoll_rng_bytes(struct atoll_rng *r, void *out, size_t n);

/* ------------------------------------------------------------------ hashes */

/** SHA-256 of bytes as 64 hex digits and a NUL. */
ATOLL_API void atoll_sha256_hex(const void *bytes, size_t n, char out[65]);
/** FNV-1a 64, for tables and canonical dumps, never for identity. */
ATOLL_API uint64_t atoll_fnv1a(const void *bytes, size_t n, uint64_t seed);

/* ------------------------------------------------------------------- files */

/** A whole file mapped read-only. Owned; atoll_map_close (NULL or zeroed allowed). ATOLL_ENOTFOUND:
 *  no such file; ATOLL_EINPUT: a directory, pipe or device; ATOLL_EIO: not readable. The file must
 *  not be cut short by others while it is mapped. */
struct atoll_map {
    const uint8_t *data; ///< NULL when size is 0
    size_t size;
};
ATOLL_API int atoll_map_open(const char *path, struct atoll_map *map, struct atoll_err *err);
ATOLL_API void atoll_map_close(struct atoll_map *map);
/** Writes a file whole: a temporary name beside it, fsync, rename; the old file stays until then.
 *  An existing file keeps its mode, a link is followed, a device or pipe is written in place.
 *  ATOLL_EIO names the path and the system's reason (no space left, no permission). */
ATOLL_API int atoll_write_file(const char *path, const void *bytes, size_t n,
                               struct atoll_err *err);
/** Directory of data files: `given` if not NULL, else $ATOLL_SHARE, else the install prefix, else
 *  the source tree (contracts.md). Looks for `relative` in each; the first hit as an owned path. */
ATOLL_API int atoll_share_find(const char *given, const char *relative, char **path,
                               struct atoll_err *err);
/** The directories that atoll_share_find looks in, in order; owned NULL-terminated array, each
 *  string and the array freed with atoll_share_dirs_free. */
ATOLL_API char **atoll_share_dirs(const char *given);
ATOLL_API void atoll_share_dirs_free(char **dirs);

/* ------------------------------------------------------------ time, threads */

ATOLL_API uint64_t atoll_now_ns(void);           ///< monotonic clock
ATOLL_API void atoll_wall_iso8601(char out[32]); ///< "2026-11-24T08:09:11Z"

/** Runs job(user, 0..n-1) on up to `threads` threads (0: all cores) and waits. After a failure no
 *  new job starts; of the failed jobs the one with the lowest index gives code and error, so the
 *  answer does not depend on timing. */
typedef int (*atoll_job_fn)(void *user, size_t index, struct atoll_err *err);
ATOLL_API int atoll_parallel(size_t n, unsigned threads, atoll_job_fn job, void *user,
                             struct atoll_err *err);

/** Progress of long work: `done` of `total` steps. Return false to ask for an early, clean end
 *  (the work then returns ATOLL_ENO). May be NULL wherever it is taken. */
typedef bool (*atoll_progress_fn)(void *user, uint64_t done, uint64_t total, const char *what);
struct atoll_progress {
    atoll_progress_fn fn; ///< NULL: no reports
    void *user;
};

/** Where a number comes from; never mixed in one sum without saying so. */
enum atoll_origin { ATOLL_ORIGIN_COMPUTED, ATOLL_ORIGIN_SIMULATED, ATOLL_ORIGIN_MEASURED };
/** "computed", "simulated", "measured". */
ATOLL_API const char *atoll_origin_name(enum atoll_origin o);

#ifdef __cplusplus
}
#endif
#endif
