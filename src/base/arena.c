/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is freed as a whole: a chain of blocks, the newest first. */
#include <atoll/base.h>

#include <stdalign.h>
#include <string.h>

enum { ARENA_ALIGN = 16, BLOCK_MIN_BYTES = 4096, BLOCK_MAX_BYTES = 1 << 20 };

struct atoll_arena_block {
    struct atoll_arena_block *next;
    size_t used, size; /* of data */
    alignas(ARENA_ALIGN) unsigned char data[];
};

void atoll_arena_init(struct atoll_arena *a)
{
    *a = (struct atoll_arena){0};
}

void atoll_arena_finish(struct atoll_arena *a)
{
    struct atoll_arena_block *block = a->blocks;
    while (block != NULL) {
        struct atoll_arena_block *next = block->next;
        atoll_free(block);
        block = next;
    }
    *a = (struct atoll_arena){0};
}

/* Blocks double from one to the next, so that their number stays logarithmic. */
static struct atoll_arena_block *add_block(struct atoll_arena *a, size_t bytes)
{
    size_t size = a->blocks != NULL ? a->blocks->size : BLOCK_MIN_BYTES / 2;
    size = size < BLOCK_MAX_BYTES / 2 ? size * 2 : BLOCK_MAX_BYTES;
    if (size < bytes) {
        size = bytes;
    }
    if (size > SIZE_MAX - sizeof(struct atoll_arena_block)) {
        return NULL;
    }
    struct atoll_arena_block *block = atoll_calloc(1, sizeof *block + size);
    if (block == NULL) {
        return NULL;
    }
    block->size = size;
    block->next = a->blocks;
    a->blocks = block;
    return block;
}

void *atoll_arena_alloc(struct atoll_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX - ARENA_ALIGN) {
        return NULL;
    }
    const size_t padded = bytes > 0 ? (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN
                                    : (size_t)ARENA_ALIGN;
    struct atoll_arena_block *block = a->blocks;
    if (block == NULL || block->size - block->used < padded) {
        block = add_block(a, padded);
        if (block == NULL) {
            return NULL;
        }
    }
    void *p = block->data + block->used;
    block->used += padded;
    a->used_bytes += bytes;
    return p;
}

void *atoll_arena_array(struct atoll_arena *a, size_t count, size_t bytes)
{
    if (bytes > 0 && count > SIZE_MAX / bytes) {
        return NULL;
    }
    return atoll_arena_alloc(a, count * bytes);
}

char *atoll_arena_strndup(struct atoll_arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX) {
        return NULL;
    }
    char *copy = atoll_arena_alloc(a, n + 1);
    if (copy != NULL && n > 0) {
        memcpy(copy, s, n);
    }
    return copy;
}

char *atoll_arena_printf(struct atoll_arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    char *text = NULL;
    const int n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0) {
        text = atoll_arena_alloc(a, (size_t)n + 1);
    }
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    va_end(args);
    return text;
}
