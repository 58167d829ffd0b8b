/*
 * What one batch does to the database, built up while it is written: the entities of the batch,
 * their rows as they are and as they shall be.
 */
#ifndef KOPRU_PG_PLAN_H
#define KOPRU_PG_PLAN_H

#include "model/fold.h"
#include "model/message.h"

#include <libpq-fe.h>

/* The messages of one entity, in order. */
struct plan_entity {
    struct message **messages;
    size_t count;
    struct slice id;
    bool stored;    /* it has a root row */
    bool identical; /* nothing to do: the payload was applied last */
    bool loaded;
    bool has_updated_at;
    int64_t updated_at_pg_us; /* of the stored row */
    struct fold_state before;
    struct fold_state after;
    struct fold_difference difference;
};

struct plan {
    const struct entity *entity;
    struct arena arena;
    struct plan_entity *entities;
    size_t count;
    struct message **dead; /* the refused messages */
    size_t dead_count;
    unsigned stale;
    const struct plan_entity
        *unreadable; /* whose stored `extra` is no JSON object; NULL if there is none */
};

/* Groups the request's messages. Returns 0, or -1 when there is no memory. Release in both cases.
 */
int plan_init(struct plan *plan, const struct entity *entity, const struct write_request *request,
              size_t max_bytes);
void plan_release(struct plan *plan);

/* The hash that, found in the database, makes the whole group a repetition; NULL when its messages
   differ. */
const uint8_t *plan_entity_hash(const struct plan_entity *entity);

/* The newest timestamp of the group; false if no message has one. */
bool plan_entity_time(const struct plan_entity *entity, int64_t *source_time_pg_us);

/* Take over what the statements find and load returned. -1: no memory. */
int plan_take_found(struct plan *plan, const PGresult *result);
int plan_take_roots(struct plan *plan, const PGresult *result);
int plan_take_children(struct plan *plan, size_t child, const PGresult *result);

/* Applies the messages and computes the differences. -1: no memory, or a stored row is unreadable.
 */
int plan_fold(struct plan *plan);

#endif
