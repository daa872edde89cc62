/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without libFuzzer: over each file of a corpus as it is, then over seeded
 * mutations of them. The same arguments give the same inputs on every machine.
 *
 *   fuzz_<name> [-n MUTATIONS] [-s SEED] [-v] [-o INDEX FILE] CORPUS_DIR
 *
 * -v prints the index of each mutation before it runs, so the last one printed is the one that
 * failed; -o writes that mutation to a file instead of running anything. */
#include "fuzz.h"

#include <atoll/base.h>

#include <dirent.h>
#include <string.h>

enum { MAX_FILES = 4096, MAX_INPUT_BYTES = 1 << 20 };

struct corpus {
    struct atoll_map files[MAX_FILES];
    size_t n;
};

struct options {
    uint64_t mutations, seed;
    bool verbose;
    const char *save_index, *save_path, *dir;
};

struct input {
    uint8_t *bytes;
    size_t size, cap;
};

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool open_corpus(const char *dir, struct corpus *c)
{
    struct dirent **names = NULL;
    const int found = scandir(dir, &names, visible, by_name);
    bool good = found > 0 && found <= MAX_FILES;
    for (int i = 0; i < found; i++) {
        char path[4096];
        struct atoll_err err = {0};
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        if (good && atoll_map_open(path, &c->files[c->n], &err) == ATOLL_OK) {
            c->n++;
        } else if (good) {
            (void)fprintf(stderr, "%s\n", err.text);
            good = false;
        }
        free(names[i]);
    }
    free(names);
    return good;
}

static void close_corpus(struct corpus *c)
{
    for (size_t i = 0; i < c->n; i++) {
        atoll_map_close(&c->files[i]);
    }
}

static void resize(struct input *in, size_t size)
{
    void *bytes = in->bytes;
    if (atoll_grow(&bytes, &in->cap, size + 1, 1) != ATOLL_OK) {
        abort();
    }
    in->bytes = bytes;
    in->size = size;
}

/* Opens a gap of n bytes at `at`. */
static void widen(struct input *in, size_t at, size_t n)
{
    const size_t old = in->size;
    resize(in, old + n);
    memmove(in->bytes + at + n, in->bytes + at, old - at);
}

static size_t place(struct atoll_rng *r, size_t size)
{
    return (size_t)atoll_rng_below(r, (uint64_t)size + 1);
}

static void put_number(struct atoll_rng *r, struct input *in)
{
    static const uint32_t numbers[] = {0,          1,          2,          0x7f,      0x80,
                                       0xff,       0x7fff,     0x8000,     0xffff,    0x10000,
                                       0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe};
    const uint32_t v = numbers[atoll_rng_below(r, sizeof numbers / sizeof numbers[0])];
    const size_t width = (size_t)1 << atoll_rng_below(r, 3);
    const size_t at = place(r, in->size);
    for (size_t i = 0; i < width && at + i < in->size; i++) {
        in->bytes[at + i] = (uint8_t)(v >> (8 * i) & 0xff);
    }
}

static void copy_piece(struct atoll_rng *r, struct input *in, const uint8_t *from, size_t size)
{
    const size_t start = place(r, size);
    const size_t most = size - start < 256 ? size - start : 256;
    const size_t n = place(r, most);
    uint8_t piece[256];
    if (n == 0 || in->size + n > MAX_INPUT_BYTES) {
        return;
    }
    memcpy(piece, from + start, n); /* `from` may be the input itself, which moves */
    const size_t at = place(r, in->size);
    widen(in, at, n);
    memcpy(in->bytes + at, piece, n);
}

static void erase(struct atoll_rng *r, struct input *in)
{
    const size_t at = place(r, in->size);
    const size_t most = in->size - at < 64 ? in->size - at : 64;
    const size_t n = place(r, most);
    memmove(in->bytes + at, in->bytes + at + n, in->size - at - n);
    in->size -= n;
}

static void mutate_once(struct atoll_rng *r, struct input *in, const struct corpus *c)
{
    const struct atoll_map *other = &c->files[atoll_rng_below(r, c->n)];
    const size_t at = in->size > 0 ? (size_t)atoll_rng_below(r, in->size) : 0;
    switch (atoll_rng_below(r, 8)) {
    case 0:
    case 1:
        if (in->size > 0) {
            in->bytes[at] ^= (uint8_t)(1u << atoll_rng_below(r, 8));
        }
        break;
    case 2:
        if (in->size > 0) {
            in->bytes[at] = (uint8_t)atoll_rng_below(r, 256);
        }
        break;
    case 3:
        put_number(r, in);
        break;
    case 4:
        copy_piece(r, in, in->bytes, in->size);
        break;
    case 5:
        if (other->size > 0) {
            copy_piece(r, in, other->data, other->size);
        }
        break;
    case 6:
        erase(r, in);
        break;
    default:
        if (atoll_rng_below(r, 4) == 0) {
            in->size = place(r, in->size);
        }
        break;
    }
}

/* Mutation `index` depends on the seed and the corpus alone. */
static void make_mutation(const struct corpus *c, uint64_t seed, uint64_t index, struct input *in)
{
    struct atoll_rng r;
    atoll_rng_seed(&r, atoll_seed_mix(seed, index));
    const struct atoll_map *file = &c->files[index % c->n];
    resize(in, file->size);
    if (file->size > 0) {
        memcpy(in->bytes, file->data, file->size);
    }
    for (uint64_t n = 1 + atoll_rng_below(&r, 6); n > 0; n--) {
        mutate_once(&r, in, c);
    }
}

/* An exact-size copy, so that a sanitizer sees a read one byte past the end. */
static void run_exact(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_all(const struct corpus *c, const struct options *o)
{
    struct input in = {0};
    if (o->save_index != NULL) {
        make_mutation(c, o->seed, strtoull(o->save_index, NULL, 10), &in);
        struct atoll_err err = {0};
        const int code = atoll_write_file(o->save_path, in.bytes, in.size, &err);
        (void)fprintf(stderr, "%s%s", err.text, code == ATOLL_OK ? "" : "\n");
        atoll_free(in.bytes);
        return code == ATOLL_OK ? 0 : 1;
    }
    for (size_t i = 0; i < c->n; i++) {
        run_exact(c->files[i].data, c->files[i].size);
    }
    for (uint64_t i = 0; i < o->mutations; i++) {
        if (o->verbose) {
            (void)fprintf(stderr, "mutation %llu\n", (unsigned long long)i);
        }
        make_mutation(c, o->seed, i, &in);
        run_exact(in.bytes, in.size);
    }
    atoll_free(in.bytes);
    (void)printf("%zu files and %llu mutations with seed %llu\n", c->n,
                 (unsigned long long)o->mutations, (unsigned long long)o->seed);
    return 0;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
            o->mutations = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
            o->seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-v") == 0) {
            o->verbose = true;
        } else if (strcmp(argv[i], "-o") == 0 && i + 2 < argc) {
            o->save_index = argv[++i];
            o->save_path = argv[++i];
        } else if (argv[i][0] != '-' && o->dir == NULL) {
            o->dir = argv[i];
        } else {
            return false;
        }
    }
    return o->dir != NULL;
}

int main(int argc, char **argv)
{
    static struct corpus corpus;
    struct options o = {.mutations = 1000, .seed = 1};
    if (!parse_options(argc, argv, &o)) {
        (void)fprintf(stderr, "usage: %s %s\n", argv[0],
                      "[-n MUTATIONS] [-s SEED] [-v] [-o INDEX FILE] CORPUS_DIR");
        return 2;
    }
    const char *factor = getenv("ATOLL_SEEDS"); /* the long check asks for more */
    const unsigned long long more = factor != NULL ? strtoull(factor, NULL, 10) : 1;
    o.mutations *= more > 1 && more <= 1000000 ? more : 1;
    int result = 1;
    if (open_corpus(o.dir, &corpus)) {
        result = run_all(&corpus, &o);
    } else {
        (void)fprintf(stderr, "%s: no corpus there\n", o.dir);
    }
    close_corpus(&corpus);
    return result;
}
