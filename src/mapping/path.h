/*
 * The JSON paths of one object's columns, as a tree of names: one walk over the object's members
 * finds the values of all of them. A path is names joined by dots ("validFor.startDateTime"); it
 * ends at a value, and each end has a number, its slot.
 *
 *     struct path_level top = { 0 };
 *     path_add(&top, "validFor.startDateTime", 3, arena);
 *     step = path_find(&top, name);       validFor: no slot, goes on below
 *
 * All memory belongs to the arena that is passed in. Read-only, and free to share, once built.
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

/* A name at which a path ends or goes on; never both. */
struct path_step {
    struct slice name;
    uint32_t slot; /* PATH_NO_SLOT where paths go on */
    enum path_absent
        absent; /* what a message says by leaving this name out; only at the top of the root */
    struct path_level *below; /* NULL where a path ends */
};

struct path_level {
    struct path_step *steps;
    uint32_t count;
    uint32_t capacity;
    uint32_t *table; /* open addressing over the names: index + 1, 0 is free */
    uint32_t mask;
};

/* NULL if it is a path, else what is wrong with it. */
const char *path_fault(const char *path);

enum path_added {
    PATH_ADDED,
    PATH_TAKEN,  /* the same path is there already */
    PATH_INSIDE, /* it leads through the end of another path, or another leads through its end */
    PATH_NO_MEMORY,
};

/* Adds a path that has no fault. */
enum path_added path_add(struct path_level *top, const char *path, uint32_t slot,
                         struct arena *arena);

/* The step of that name, NULL if no path has it. */
const struct path_step *path_find(const struct path_level *level, struct slice name);

/* The slot at which a path ends, PATH_NO_SLOT if there is none. */
uint32_t path_slot(const struct path_level *top, const char *path);

/* Index in top of the first name of a path that was added. */
uint32_t path_top_index(const struct path_level *top, const char *path);

#endif
