/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Old libedgetpu, new runtime. A libedgetpu built on headers of TF 2.5 (Coral's release) hands over
 * a registration of 64 bytes; a runtime of today reads 88 and takes what lies behind for pointers:
 * it crashes while an interpreter is made. The first 64 bytes agree in all versions, so for the
 * time of their Prepare we put a function of ours in the place where they register, which copies
 * these 64 bytes into a zeroed struct of 88. Both 64-bit ABIs let a function read just the
 * beginning of a larger struct passed by value, so this is right for callers with 64 to 88 bytes.
 */
#include "edgetpu_wrap.h"

#include <string.h>

struct old_registration {
    unsigned char bytes[64];
};
struct new_registration {
    unsigned char bytes[88];
};
struct int_array;
typedef int (*replace_new)(struct atoll__tfl_context *, struct new_registration,
                           const struct int_array *, struct atoll__tfl_delegate *);
typedef int (*replace_old)(struct atoll__tfl_context *, struct old_registration,
                           const struct int_array *, struct atoll__tfl_delegate *);
struct atoll__tfl_context { /* its beginning, up to what is replaced */
    void *before[8];        /* tensors_size ... GetNodeAndRegistration: 64 bytes */
    union {
        replace_new theirs;
        replace_old ours;
    } replace;
};

/* Of the interpreter that this thread is making. */
static _Thread_local replace_new saved;

static int replace(struct atoll__tfl_context *c, struct old_registration r,
                   const struct int_array *nodes, struct atoll__tfl_delegate *d)
{
    struct new_registration full = {{0}};
    memcpy(full.bytes, r.bytes, sizeof r.bytes);
    return saved(c, full, nodes, d);
}

static int prepare(struct atoll__tfl_context *c, struct atoll__tfl_delegate *ours)
{
    struct atoll__tfl_delegate *theirs = ours->data;
    const replace_new before = saved;
    saved = c->replace.theirs;
    c->replace.ours = replace;
    const int status = theirs->prepare(c, theirs);
    c->replace.theirs = saved;
    saved = before;
    return status;
}

void atoll__edgetpu_wrap(struct atoll__tfl_delegate *ours, struct atoll__tfl_delegate *theirs)
{
    *ours = (struct atoll__tfl_delegate){.data = theirs,
                                         .prepare = prepare,
                                         .copy_from = theirs->copy_from,
                                         .copy_to = theirs->copy_to,
                                         .free_buffer = theirs->free_buffer,
                                         .flags = theirs->flags};
}
