/*
 * What one batch writes: its messages grouped by entity, the rows of these entities as they are
 * stored and as they shall be, and the difference between the two. It is built up while the
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
    bool identical; /* the payload that was applied last is this one: nothing is to be done */
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
    unsigned stale;                            /* late messages that changed nothing */
    const struct write_set_entity *unreadable; /* its stored `extra` is no JSON object; or NULL */
};

/* Groups the messages of the request. max_bytes: what the arena may take. The entity and the
   request must outlive the set. Returns 0, or -1 when there is no memory. Release in both cases. */
int write_set_init(struct write_set *set, const struct entity *entity,
                   const struct write_request *request, size_t max_bytes);

/* A set that was only zeroed may be released, too. */
void write_set_release(struct write_set *set);

/* The hash that, found in the database, makes the whole group a repetition; NULL when its messages
   differ from each other. DIGEST_BYTES long. */
const uint8_t *write_set_entity_hash(const struct write_set_entity *entity);

/* The newest timestamp of the group, microseconds since 2000-01-01 UTC; false if no message has
   one. */
bool write_set_entity_time(const struct write_set_entity *entity, int64_t *source_time);

/* Applies the messages to the stored rows and computes the differences. Returns 0, or -1: there is
   no memory, or set->unreadable is an entity whose stored row cannot be read. */
int write_set_fold(struct write_set *set);

#endif
