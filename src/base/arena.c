/*
 * Blocks double from 2 KiB up to steps of 1 MiB, so that a small message costs one malloc() and a
 * large one few, and what is allocated stays close to what is used. When a doubled block no longer
 * fits under the maximum, a block of exactly the size asked for is tried: the limit is about the
 * input, and must not depend on how the blocks happened to grow. arena_clear() keeps the newest
 * block, usually the largest, so that a thread that maps one message after another soon allocates
 * nothing.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK_BYTES = 2048, LARGEST_STEP_BYTES = 1 << 20 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes in data */
    size_t used;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t max_bytes)
{
    *arena = (struct arena){ .max_bytes = max_bytes };
}

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
    arena_init(arena, arena->max_bytes);
}

void arena_clear(struct arena *arena)
{
    struct arena_block *keep = arena->blocks;

    if (keep == NULL)
        return;
    arena->blocks = keep->next;
    arena_release(arena);
    arena->full = false;
    keep->next = NULL;
    keep->used = 0;
    arena->blocks = keep;
    arena->used_bytes = keep->size;
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t step = arena->blocks == NULL ? FIRST_BLOCK_BYTES : arena->blocks->size * 2;
    struct arena_block *block;

    if (step > LARGEST_STEP_BYTES)
        step = LARGEST_STEP_BYTES;
    if (step < size)
        step = size;
    if (step > arena->max_bytes - arena->used_bytes)
        step = size;
    if (step > arena->max_bytes - arena->used_bytes) {
        arena->full = true;
        return NULL;
    }
    block = malloc(sizeof(*block) + step);
    if (block == NULL)
        return NULL;
    block->size = step;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used_bytes += step;
    return block;
}

/* Returns aligned memory that still holds whatever was there before. */
static void *take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    size_t rounded;
    void *place;

    if (size > SIZE_MAX / 4) {
        arena->full = true;
        return NULL;
    }
    rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (block == NULL || block->size - block->used < rounded)
        block = add_block(arena, rounded);
    if (block == NULL)
        return NULL;
    place = block->data + block->used;
    block->used += rounded;
    return place;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *place = take(arena, size);

    return place != NULL ? memset(place, 0, size) : NULL;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_alloc(arena, bytes);
}

bool arena_count(struct arena *arena, size_t size)
{
    if (size > arena->max_bytes - arena->used_bytes) {
        arena->full = true;
        return false;
    }
    arena->used_bytes += size;
    return true;
}

char *arena_copy(struct arena *arena, const void *data, size_t len)
{
    char *copy = take(arena, len + 1);

    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

struct slice arena_copy_slice(struct arena *arena, struct slice source)
{
    return (struct slice){ arena_copy(arena, source.data, source.len), source.len };
}
