/*
 * The engine that turns a payload into rows, as an entity file says.
 *
 * A struct mapping is one entity file, checked and compiled. It is immutable, and all threads share
 * it. A struct mapper is the working memory of one thread.
 *
 *     mapping_load(&mapping, "etc/entities/customer.cfg", &rules, &problems)
 *     mapper = mapper_new(mapping);
 *     arena_init(&arena, mapper_arena_limit(mapping));
 *     switch (mapper_map(mapper, body, &arena, &change, &refusal)) {
 *     case MAP_ACCEPTED:   // change is set; what it points to is in the arena or in body
 *     case MAP_REFUSED:    // refusal is filled; refusal.entity_id is in the arena
 *     case MAP_NO_MEMORY:  // nothing is known about the message; try again later
 *     }
 *
 * A message that needs more than the arena's maximum is refused as too_large.
 */
#ifndef KOPRU_MAPPING_MAPPER_H
#define KOPRU_MAPPING_MAPPER_H

#include "base/arena.h"
#include "base/error.h"
#include "model/ports.h"

/* What changes the meaning of a payload and is not in the entity file. */
struct mapping_rules {
    /* IANA name of the zone that civil_zone_set() has set; a timestamp without an offset is in its
       civil time. */
    const char *time_zone;
    size_t max_message_bytes; /* a larger body is too_large */
    unsigned max_depth;       /* the root is 1 */
};

/* In memory, what a message becomes may take this many times limits.max_message_bytes. Usual
   messages take four times the size of their body. */
enum { MAPPER_EXPANSION = 16 };

struct mapping;
struct mapper;

/* Reads and checks the entity file at path. Returns 0, or -1 with every problem added to problems
   (file:line, what, why, hint). */
int mapping_load(struct mapping **out, const char *path, const struct mapping_rules *rules,
                 struct error_list *problems);

/* NULL is allowed. Its mappers must have been freed. */
void mapping_free(struct mapping *mapping);

const struct entity *mapping_entity(const struct mapping *mapping);

/* NULL when there is no memory. The mapping must outlive the mapper. */
struct mapper *mapper_new(const struct mapping *mapping);
void mapper_free(struct mapper *mapper);

/* The caller fills change->has_time, source_time_pg_us and may_be_late, which are not in the
   body. */
enum map_outcome mapper_map(struct mapper *mapper, struct slice body, struct arena *arena,
                            struct change **change, struct refusal *refusal);

/* Writes the paths of the entity file at which no message that the mapper accepted had anything,
   as many as fit, once there were enough messages to judge by (coverage.h). Returns their number.
   Both are the same until a change says judged_anew. */
size_t mapper_unmatched(const struct mapper *mapper, char *text, size_t size);

/* The maximum for the arena of mapper_map(), in bytes. It is the same for every body, because an
   element of a few bytes may become a row of many columns: a limit in proportion to the body would
   refuse messages that are fine. */
size_t mapper_arena_limit(const struct mapping *mapping);

/* The mapper as the port that the bridge uses. The mapping must outlive the port. */
struct mapper_port mapping_port(const struct mapping *mapping);

#endif
