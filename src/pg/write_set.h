/*
 * What one batch writes: its messages grouped by entity, the rows of these entities as they are
 * stored and as they will be, and the difference between the two. It is built up while the
 * transaction runs:
 *
 *     write_set_init(&set, entity, request, max_bytes)
 *     stored_rows_mark_found(), stored_rows_read_roots(), ...      // what is stored: stored_rows.h
 *     write_set_fold(&set)                                         // what is to be written
 *     ... set.entities[i].difference, set.dead_letters
 *     write_set_release(&set)
 */
#ifndef KOPRU_PG_WRITE_SET_H
#define KOPRU_PG_WRITE_SET_H

#include "model/fold.h"
#include "model/message.h"

/* The messages of one entity, in order, and its rows. */
struct write_set_entity {
    struct message **messages; /* within the request's */
    size_t count;
    struct slice id;
    bool stored;    /* it has a root row */
    bool identical; /* the payload that was applied last is this one, so nothing is to be done */
    bool loaded;    /* before holds its stored rows */
    bool has_updated_at;
    int64_t updated_at_pg_us; /* of the stored row */
    struct fold_state before;
    struct fold_state after;
    struct fold_difference difference;
};

struct write_set {
    const struct entity *entity;
    struct arena arena;                /* holds all that follows */
    struct write_set_entity *entities; /* in the order of their ids (slice_compare()) */
    size_t count;
    struct message **dead_letters; /* the refused messages */
    size_t dead_letter_count;
    size_t too_large_count; /* the last of them: refused because of max_extra_bytes */
    size_t max_extra_bytes; /* what messages may make of the `extra` of a root; 0 for any size */
    unsigned stale;         /* late messages that changed nothing */
    const struct write_set_entity
        *unreadable; /* the entity whose stored `extra` is no JSON object; NULL if there is none */
};

/* Groups the messages of the request. max_bytes: the most that the arena may take. The entity and
   the request must outlive the set. Returns 0, or -1 when there is no memory. Release in both
   cases. */
int write_set_init(struct write_set *set, const struct entity *entity,
                   const struct write_request *request, size_t max_bytes);

/* A set that was only zeroed may be released, too. */
void write_set_release(struct write_set *set);

/* Returns the hash that, if it is stored, makes the whole group a repetition, or NULL when the
   messages of the group differ. It has DIGEST_BYTES bytes. */
const uint8_t *write_set_entity_hash(const struct write_set_entity *entity);

/* Sets the newest timestamp of the group, in microseconds since 2000-01-01 UTC. Returns false if no
   message has one. */
bool write_set_entity_time(const struct write_set_entity *entity, int64_t *source_time);

/* Applies the messages to the stored rows and computes the differences. A message that would make
   `extra` too large is refused, and becomes one of the dead letters. Returns 0, or -1: there is no
   memory, or set->unreadable is an entity whose stored row cannot be read. */
int write_set_fold(struct write_set *set);

/* Takes back what write_set_fold() refused. */
void write_set_take_back(struct write_set *set);

#endif
