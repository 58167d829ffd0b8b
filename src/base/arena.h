/*
 * A region of memory that is freed in one call. A message owns one while it is mapped, a batch owns
 * one while it is written. Nothing in it is freed on its own. The maximum bounds how much memory
 * one input can make kopru allocate.
 *
 *     arena_init(&arena, max_bytes);
 *     rows = arena_alloc_array(&arena, count, sizeof(*rows));     NULL: no memory, or the maximum
 *     arena_release(&arena);
 */
#ifndef KOPRU_BASE_ARENA_H
#define KOPRU_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first */
    size_t used_bytes;          /* of all blocks, as allocated */
    size_t max_bytes;
    bool full; /* an allocation failed because of max_bytes, not because there was no memory */
};

void arena_init(struct arena *arena, size_t max_bytes);
void arena_release(struct arena *arena);

/* Forgets all content and keeps one block for the next use. */
void arena_clear(struct arena *arena);

/* Returns size bytes, zeroed and aligned for any type, or NULL when there is no memory or max_bytes
   is reached. A size of 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);

/* Returns room for count elements of size bytes each, as arena_alloc() does. NULL also when the
   product overflows. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size);

/* Counts size bytes against max_bytes without allocating them: what the content will take
   elsewhere. Returns false if they do not fit; the arena is then full. */
bool arena_count(struct arena *arena, size_t size);

/* Returns a copy that is followed by a NUL byte, or NULL as above. */
char *arena_copy(struct arena *arena, const void *data, size_t len);

/* Copies a slice. The data of the result is NULL when there is no memory. */
struct slice arena_copy_slice(struct arena *arena, struct slice source);

#endif
