/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: 8 bytes of magic, the key of the run, epochs so far, all parameters and momenta in
 * plain order, and the SHA-256 of all that. Numbers as this machine has them. */
#include "train_internal.h"

#include <stdlib.h>
#include <string.h>

static const char magic[8] = "ATOLLCK1";
#define HASH_CHARS 64

static int put_param(struct atoll_buf *b, struct atoll_trainer *t, uint32_t k,
                     struct atoll_err *err)
{
    const struct atoll_param p = atoll_trainer_param(t, k);
    const bool trained = p.role != ATOLL_PARAM_MEAN && p.role != ATOLL_PARAM_VARIANCE;
    float *v = atoll_alloc(p.n * sizeof *v);
    int rc = v ? 0 : atoll_fail_nomem(err, "a parameter", p.n * sizeof *v);
    for (int what = 0; what < (trained ? 2 : 1) && rc == 0; what++) {
        rc = atoll_trainer_read(t, k, what ? ATOLL_PARAM_MOMENTUM : ATOLL_PARAM_VALUE, v, err);
        if (rc == 0) {
            atoll_buf_append(b, v, p.n * sizeof *v);
        }
    }
    atoll_free(v);
    return rc;
}

int atoll__checkpoint_write(const char *path, struct atoll_trainer *t, const char key[65],
                            const struct atoll_epoch *epochs, uint32_t n_epochs,
                            struct atoll_err *err)
{
    struct atoll_buf b = {0};
    const uint64_t n = n_epochs;
    atoll_buf_append(&b, magic, sizeof magic);
    atoll_buf_append(&b, key, HASH_CHARS);
    atoll_buf_append(&b, &n, sizeof n);
    atoll_buf_append(&b, epochs, n_epochs * sizeof *epochs);
    int rc = 0;
    for (uint32_t k = 0; k < atoll_trainer_params(t) && rc == 0; k++) {
        rc = put_param(&b, t, k, err);
    }
    if (rc == 0 && !b.failed) {
        char hash[65];
        atoll_sha256_hex(b.data, b.size, hash);
        atoll_buf_append(&b, hash, HASH_CHARS);
    }
    if (rc == 0 && b.failed) {
        rc = atoll_fail_nomem(err, "a checkpoint", b.size);
    }
    rc = rc ? rc : atoll_write_file(path, b.data, b.size, err);
    atoll_buf_finish(&b);
    return rc;
}

/* Bytes of all parameters and momenta. */
static size_t state_bytes(const struct atoll_trainer *t)
{
    size_t n = 0;
    for (uint32_t k = 0; k < atoll_trainer_params(t); k++) {
        const struct atoll_param p = atoll_trainer_param(t, k);
        n += p.n * (p.role == ATOLL_PARAM_MEAN || p.role == ATOLL_PARAM_VARIANCE ? 1 : 2);
    }
    return n * sizeof(float);
}

static int get_state(struct atoll_trainer *t, const uint8_t *at, struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t k = 0; k < atoll_trainer_params(t) && rc == 0; k++) {
        const struct atoll_param p = atoll_trainer_param(t, k);
        const bool trained = p.role != ATOLL_PARAM_MEAN && p.role != ATOLL_PARAM_VARIANCE;
        float *v = atoll_alloc(p.n * sizeof *v);
        rc = v ? 0 : atoll_fail_nomem(err, "a parameter", p.n * sizeof *v);
        for (int what = 0; what < (trained ? 2 : 1) && rc == 0; what++) {
            memcpy(v, at, p.n * sizeof *v);
            at += p.n * sizeof *v;
            rc = atoll_trainer_write(t, k, what ? ATOLL_PARAM_MOMENTUM : ATOLL_PARAM_VALUE, v, err);
        }
        atoll_free(v);
    }
    return rc;
}

static int check_frame(const char *path, const struct atoll_map *map, const char key[65],
                       struct atoll_err *err)
{
    const size_t head = sizeof magic + HASH_CHARS + sizeof(uint64_t);
    if (map->size < head + HASH_CHARS || memcmp(map->data, magic, sizeof magic) != 0) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: is no checkpoint of atoll", path);
    }
    char hash[65];
    atoll_sha256_hex(map->data, map->size - HASH_CHARS, hash);
    if (memcmp(hash, map->data + map->size - HASH_CHARS, HASH_CHARS) != 0) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: the checkpoint is damaged (its hash differs)",
                          path);
    }
    if (memcmp(map->data + sizeof magic, key, HASH_CHARS) != 0) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: the checkpoint is of another run (network, recipe, data, seed and "
                          "threads must be the same)",
                          path);
    }
    return 0;
}

bool atoll__checkpoint_is(const char *path, const char key[65])
{
    char head[sizeof magic + HASH_CHARS];
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    const size_t n = fread(head, 1, sizeof head, f);
    (void)fclose(f);
    return n == sizeof head && memcmp(head, magic, sizeof magic) == 0 &&
           memcmp(head + sizeof magic, key, HASH_CHARS) == 0;
}

int atoll__checkpoint_read(const char *path, struct atoll_trainer *t, const char key[65],
                           struct atoll_epoch **epochs, uint32_t *n_epochs, struct atoll_err *err)
{
    struct atoll_map map = {0};
    int rc = atoll_map_open(path, &map, err);
    rc = rc ? rc : check_frame(path, &map, key, err);
    const size_t head = sizeof magic + HASH_CHARS + sizeof(uint64_t);
    uint64_t n = 0;
    struct atoll_epoch *made = NULL;
    if (rc == 0) {
        memcpy(&n, map.data + head - sizeof n, sizeof n);
        const size_t state = state_bytes(t);
        if (n > 100000 || map.size != head + n * sizeof *made + state + HASH_CHARS) {
            rc = atoll_fail(err, ATOLL_EINPUT, "%s: %zu bytes do not fit the network", path,
                            map.size);
        }
    }
    if (rc == 0) {
        made = atoll_calloc(n + 1, sizeof *made);
        rc = made ? 0 : atoll_fail_nomem(err, "epochs", n * sizeof *made);
    }
    if (rc == 0) {
        memcpy(made, map.data + head, n * sizeof *made);
        rc = get_state(t, map.data + head + n * sizeof *made, err);
    }
    atoll_map_close(&map);
    if (rc != 0) {
        atoll_free(made);
        return rc;
    }
    *epochs = made;
    *n_epochs = (uint32_t)n;
    return 0;
}
