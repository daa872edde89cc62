/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of a training run: what its weights depend on, but for the machine. */
#include "train_internal.h"

#include <string.h>

/* Of the training images: their pixels where the set is in memory, else their names. */
static uint64_t hash_images(const struct atoll__feed *feed, uint64_t n)
{
    const struct atoll_dataset_info *d = &feed->info;
    const size_t bytes = (size_t)d->width * d->height * d->channels;
    uint64_t h = 0;
    for (size_t i = 0; i < n; i++) {
        char name[512];
        uint32_t label = 0;
        const uint8_t *pixels = atoll_dataset_pixels(feed->data, ATOLL_PART_TRAIN, i, &label);
        if (pixels != NULL) {
            h = atoll_fnv1a(pixels, bytes, h);
            h = atoll_fnv1a(&label, sizeof label, h);
        } else {
            (void)atoll_dataset_image_name(feed->data, ATOLL_PART_TRAIN, i, name);
            h = atoll_fnv1a(name, strlen(name), h);
        }
    }
    return h;
}

/* Everything a run's weights depend on. */
int atoll__train_key(const struct atoll_train_request *q, const struct atoll__feed *feed,
                     uint64_t n_train, unsigned threads, char key[65], struct atoll_err *err)
{
    const struct atoll_recipe *p = &q->recipe;
    const struct atoll_dataset_info *d = &feed->info;
    struct atoll_buf b = {0};
    atoll_buf_printf(&b, "%s seed %llu threads %u\n", ATOLL_VERSION, (unsigned long long)q->seed,
                     threads);
    atoll_buf_printf(&b, "%u %u %.17g %.17g %.17g %d %.17g %.17g %.17g %d %u %s %.17g %.17g",
                     p->epochs, p->batch, p->rate, p->momentum, p->weight_decay, (int)p->schedule,
                     p->warm_up_frac, p->step_factor, p->label_smoothing, (int)p->flip, p->shift,
                     p->teacher, p->temperature, p->teacher_weight);
    for (uint32_t i = 0; i < p->n_steps; i++) {
        atoll_buf_printf(&b, " %.17g", p->step_frac[i]);
    }
    atoll_buf_printf(&b, "\n%s %zu %llu %u %d %016llx\n", d->name, d->n[ATOLL_PART_TRAIN],
                     (unsigned long long)n_train, d->n_classes, (int)d->label_offset,
                     (unsigned long long)hash_images(feed, n_train));
    for (uint32_t i = 0; i < q->net->n_nodes; i++) {
        const struct atoll_net_node *n = &q->net->nodes[i];
        atoll_buf_printf(&b, "%d %d %d %d k %d %d s %d %d g %d p %d b %d pad %d %d %d %d in", n->op,
                         n->height, n->width, n->channels, n->kernel_h, n->kernel_w, n->stride_h,
                         n->stride_w, n->groups, n->padding, n->bias, n->pad[0], n->pad[1],
                         n->pad[2], n->pad[3]);
        for (uint32_t k = 0; k < n->n_in; k++) {
            atoll_buf_printf(&b, " %u", n->in[k]);
        }
        atoll_buf_puts(&b, "\n");
    }
    if (b.failed) {
        atoll_buf_finish(&b);
        return atoll_fail_nomem(err, "the key of the run", 1);
    }
    atoll_sha256_hex(b.data, b.size, key);
    atoll_buf_finish(&b);
    return 0;
}
