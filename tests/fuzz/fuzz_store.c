/* SPDX-License-Identifier: Apache-2.0 */
/* The results database on any bytes. A file that begins like SQLite's is opened and read whole;
 * anything else is taken as a packed series (first byte: which kind and how many entries). */
#include "fuzz.h"

#include "store_internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void put_line(void *user, const char *line)
{
    FUZZ_CHECK(line[0] == '{' && line[strlen(line) - 1] == '}');
    ++*(size_t *)user;
}

static int read_series(void *user, const struct atoll_run_row *r)
{
    struct atoll_store *s = user;
    double *samples = NULL;
    uint64_t *t_ns = NULL;
    float *mw = NULL;
    struct atoll_span *spans = NULL;
    size_t n = 0;
    uint32_t rails = 0;
    const int codes[3] = {atoll_store_get_samples(s, r->id, &samples, &n, NULL),
                          atoll_store_get_trace(s, r->id, &t_ns, &mw, &n, &rails, NULL),
                          atoll_store_get_timeline(s, r->id, &spans, &n, NULL)};
    for (int i = 0; i < 3; i++) {
        FUZZ_CHECK(codes[i] == 0 || codes[i] == ATOLL_EINPUT || codes[i] == ATOLL_ELIMIT ||
                   codes[i] == ATOLL_ENOMEM);
    }
    atoll_free(samples);
    atoll_free(t_ns);
    atoll_free(mw);
    atoll_free(spans);
    return 0;
}

/* Anything that is wrong with the bytes is bad input, said with the file's name. (SQLite answers
 * some sizes that cannot be with "out of memory", without asking for any.) */
static void check_code(int code, const struct atoll_err *err, const char *path)
{
    FUZZ_CHECK(code == 0 || code == ATOLL_EINPUT || code == ATOLL_ELIMIT || code == ATOLL_ENOMEM);
    FUZZ_CHECK(code == 0 || strstr(err->text, path) != NULL);
}

static void open_database(const uint8_t *data, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/atoll-fuzz-%ld.db",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    FILE *f = fopen(path, "wb");
    FUZZ_CHECK(f != NULL && fwrite(data, 1, size, f) == size && fclose(f) == 0);
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    int code = atoll_store_open(path, ATOLL_STORE_READ, &s, &err);
    check_code(code, &err, path);
    FUZZ_CHECK((code == 0) == (s != NULL));
    if (s) {
        size_t lines = 0;
        code = atoll_store_dump(s, false, put_line, &lines, &err);
        check_code(code, &err, path);
        code = atoll_store_each_run(s, NULL, read_series, s, &err);
        check_code(code, &err, path);
    }
    atoll_store_close(&s);
    (void)unlink(path);
}

static void unpack(const uint8_t *data, size_t size)
{
    const size_t n = data[0] >> 2;
    double *samples = NULL;
    uint64_t *t_ns = NULL;
    float *mw = NULL;
    struct atoll_span *spans = NULL;
    struct atoll_err err = {0};
    int code = 0;
    switch (data[0] & 3) {
    case 0:
        code = atoll__series_unpack_samples(data + 1, size - 1, n, &samples, &err);
        break;
    case 1:
        code = atoll__series_unpack_trace(data + 1, size - 1, n, 2, &t_ns, &mw, &err);
        break;
    default:
        code = atoll__series_unpack_timeline(data + 1, size - 1, n, &spans, &err);
        break;
    }
    FUZZ_CHECK(code == 0 || (code == ATOLL_EINPUT && err.text[0] != '\0'));
    if (samples) { /* what was read can be written again, and reads the same */
        struct atoll_buf again = {0};
        double *back = NULL;
        if (n && atoll__series_pack_samples(samples, n, &again, NULL) == 0) {
            FUZZ_CHECK(atoll__series_unpack_samples(again.data, again.size, n, &back, NULL) == 0);
            FUZZ_CHECK(memcmp(back, samples, n * sizeof *back) == 0);
        }
        atoll_free(back);
        atoll_buf_finish(&again);
    }
    atoll_free(samples);
    atoll_free(t_ns);
    atoll_free(mw);
    atoll_free(spans);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 16 && memcmp(data, "SQLite format 3", 16) == 0) {
        open_database(data, size);
    } else if (size > 0) {
        unpack(data, size);
    }
    return 0;
}
