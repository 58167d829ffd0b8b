/*
 * The engine that reads a payload into rows as an entity file says.
 *
 * A struct mapping is one entity file, checked and compiled: immutable, shared by all threads. A
 * struct mapper is one thread's working memory for it.
 *
 *     if (mapping_load(&mapping, "etc/entities/customer.cfg", &rules, &problems) != 0) ... every
 * problem is in the list mapper = mapper_new(mapping); switch (mapper_map(mapper, body, &arena,
 * &change, &refusal)) { case MAP_ACCEPTED: ...   change and all it points to live in the arena;
 * they may point into body as well case MAP_REFUSED: ...    refusal is filled; refusal.entity_id
 * lives in the arena. Also when the arena is full case MAP_NO_MEMORY: ...  nothing is said about
 * the message; try again later
 *     }
 */
#ifndef KOPRU_MAPPING_MAPPER_H
#define KOPRU_MAPPING_MAPPER_H

#include "base/arena.h"
#include "base/error.h"
#include "model/ports.h"

/* What does not stand in the entity file but changes what a payload means. */
struct mapping_rules {
    const char *time_zone; /* IANA name, in force by civil_zone_set(); a value without an offset is
                              civil time there */
    size_t max_message_bytes; /* a larger body is too_large */
    unsigned max_depth;       /* the root is 1 */
};

/* What a message becomes in memory may take so many times limits.max_message_bytes. Usual bodies
   become four times their size. */
enum { MAPPER_EXPANSION = 16 };

struct mapping;
struct mapper;

/* Reads and checks the entity file at path. Returns 0, or -1 with every problem added to problems
   (file:line, what, why, hint). */
int mapping_load(struct mapping **out, const char *path, const struct mapping_rules *rules,
                 struct error_list *problems);

/* NULL is allowed. No mapper may be left. */
void mapping_free(struct mapping *mapping);

const struct entity *mapping_entity(const struct mapping *mapping);

/* NULL when there is no memory. The mapping must outlive the mapper. */
struct mapper *mapper_new(const struct mapping *mapping);
void mapper_free(struct mapper *mapper);

/* change->has_time and change->may_be_late are the caller's to fill: they do not stand in the body.
 */
enum map_outcome mapper_map(struct mapper *mapper, struct slice body, struct arena *arena,
                            struct change **change, struct refusal *refusal);

/* The most memory that a message may become, in bytes: the maximum for the arena of mapper_map().
   What needs more is too_large. It does not depend on the body, so that nothing is refused for it
   that could be a message: an element of a few bytes becomes a row. */
size_t mapper_arena_limit(const struct mapping *mapping);

/* The same functions as the bridge's port; the mapping must outlive it. */
struct mapper_port mapping_port(const struct mapping *mapping);

#endif
