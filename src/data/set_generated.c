/* SPDX-License-Identifier: Apache-2.0 */
/* The generated set in memory, drawn on all cores. */
#include "data_internal.h"

#include <string.h>

enum { IMAGE_BYTES = 32 * 32 * 3, CHUNK = 256, IMAGES_MAX = 1000000 };

struct drawing {
    struct atoll__data_source *s;
    uint64_t seed;
    enum atoll_part part;
};

static int draw_chunk(void *user, size_t chunk, struct atoll_err *err)
{
    const struct drawing *w = user;
    const size_t end = (chunk + 1) * CHUNK < w->s->n ? (chunk + 1) * CHUNK : w->s->n;
    (void)err;
    for (size_t i = chunk * CHUNK; i < end; i++) {
        atoll__data_draw(w->seed, w->part, i, w->s->pixels + i * IMAGE_BYTES, &w->s->labels[i]);
    }
    return 0;
}

static int draw_part(struct atoll_dataset *d, enum atoll_part part, size_t n, struct atoll_err *err)
{
    struct atoll__data_source *s = &d->sources[part];
    if (n > IMAGES_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%zu generated images (at most %d expected)", n,
                          IMAGES_MAX);
    }
    s->name = "generated";
    s->n = n;
    s->pixels = atoll_alloc(n * IMAGE_BYTES);
    s->labels = atoll_alloc(n);
    if (s->pixels == NULL || s->labels == NULL) {
        return atoll_fail_nomem(err, "generated images", n * IMAGE_BYTES);
    }
    struct drawing w = {s, d->opts.seed, part};
    atoll__data_whole(d, part, s);
    return atoll_parallel((n + CHUNK - 1) / CHUNK, d->opts.threads, draw_chunk, &w, err);
}

int atoll__data_open_generated(struct atoll_dataset *d, struct atoll_err *err)
{
    static const uint32_t usual[3] = {20000, 2000, 5000};
    int rc = atoll__data_labels(d, atoll__data_drawn_names, ATOLL__DRAWN_CLASSES, err);
    d->info.width = d->info.height = ATOLL__DRAWN_SIDE;
    d->info.channels = 3;
    d->info.preprocess.normalize = true;
    for (size_t c = 0; c < 3; c++) {
        d->info.preprocess.mean[c] = 128;
        d->info.preprocess.std[c] = 64;
    }
    for (int part = 0; part < 3 && rc == 0; part++) {
        const uint32_t asked = d->opts.n_generated[part];
        if (atoll__data_wants(d, (enum atoll_part)part)) {
            rc = draw_part(d, (enum atoll_part)part, asked != 0 ? asked : usual[part], err);
        }
    }
    return rc;
}
