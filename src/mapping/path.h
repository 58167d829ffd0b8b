/*
 * The paths of one object's columns, as a tree of names: one walk over the object's members finds
 * the values of all paths. A path is names joined by dots ("validFor.startDateTime"). It ends at a
 * value, and the end of each path has a number, its slot.
 *
 *     struct path_level top = { 0 };
 *
 *     path_add(&top, "validFor.startDateTime", 3, arena);
 *     step = path_find(&top, name);   // validFor: no slot, the path goes on in step->below
 *
 * All memory belongs to the arena that is passed in. Once built, the tree is only read, and threads
 * can share it.
 */
#ifndef KOPRU_MAPPING_PATH_H
#define KOPRU_MAPPING_PATH_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdint.h>

#define PATH_NO_SLOT UINT32_MAX

enum { PATH_MAX_NAMES = 8 };

enum path_absent { PATH_ABSENT_UNSET, PATH_ABSENT_KEEP, PATH_ABSENT_CLEAR };

struct path_level;

/* A name at which a path ends, or at which paths go on; never both. */
struct path_step {
    struct slice name;
    uint32_t slot;            /* PATH_NO_SLOT where paths go on */
    struct path_level *below; /* NULL where a path ends */

    /* What a message says by leaving this name out. Used only at the top level of the root. */
    enum path_absent absent;
};

struct path_level {
    struct path_step *steps;
    uint32_t count;
    uint32_t capacity;
    uint32_t *table; /* a hash table of the names with open addressing: index + 1; 0 is free */
    uint32_t mask;
};

/* Returns NULL if it is a path, and else what is wrong with it. */
const char *path_fault(const char *path);

enum path_added {
    PATH_ADDED,
    PATH_TAKEN,  /* the same path has already been added */
    PATH_INSIDE, /* it continues another path, or another path continues it */
    PATH_NO_MEMORY,
};

/* Adds a path that has no fault. */
enum path_added path_add(struct path_level *top, const char *path, uint32_t slot,
                         struct arena *arena);

/* Returns the step of that name, or NULL if no path has it. */
const struct path_step *path_find(const struct path_level *level, struct slice name);

/* Returns the step whose name differs from this one by the case of its letters alone
   (letter_case.h), or NULL. */
const struct path_step *path_find_other_case(const struct path_level *level, struct slice name);

/* Writes the path that ends at that slot; leaves out alone if none does. */
void path_text(const struct path_level *top, uint32_t slot, char *out, size_t size);

/* Returns the slot at which a path ends, or PATH_NO_SLOT if it has not been added. */
uint32_t path_slot(const struct path_level *top, const char *path);

/* Returns the index in top of the first name of a path; PATH_NO_SLOT if no path begins with it. */
uint32_t path_top_index(const struct path_level *top, const char *path);

#endif
