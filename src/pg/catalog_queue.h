/*
 * Whether a queue still carries the entity that its row in kopru.queues names, and whether that
 * entity still has its table. Messages of one entity in the tables of another look well: both have
 * an id, and what no column takes goes to `extra`. So a queue that is given to another entity, or
 * whose entity is given another table, waits until a person says which one is right.
 */
#ifndef KOPRU_PG_CATALOG_QUEUE_H
#define KOPRU_PG_CATALOG_QUEUE_H

#include "pg/catalog.h"

#include <libpq-fe.h>

/* Five columns that a SELECT from kopru.queues reads for catalog_queue_check_entity(). */
#define CATALOG_QUEUE_COLUMNS                                                                      \
    "entity, root_table,"                                                                          \
    " to_char(entity_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),"                          \
    " to_char(last_message_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),"                       \
    " mapping_doubt"

/* Compares the first row, in which these columns begin at first, with the entity that the
   configuration gives the queue. Returns 0 when they agree, or 1 with *err filled: what the queue
   carried, since when, and what to run if the change is meant. */
int catalog_queue_check_entity(const PGresult *row, int first, const char *queue,
                               const struct entity *entity, struct error *err);

/* For `kopru check`: the same as a problem, and why the entity file may not fit the queue's
   messages as a warning. A queue without a row has neither. Asks nothing if catalog lacks what it
   would read, which catalog_check_server() reports. Returns 0, or -1 with *failure filled. */
int catalog_queue_review(struct pg_conn *conn, const struct catalog *catalog, const char *queue,
                         const struct entity *entity, const struct catalog_report *report,
                         struct pg_failure *failure);

#endif
