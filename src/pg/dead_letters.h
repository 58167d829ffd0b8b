/*
 * Refused messages as rows of kopru.dead_letters. Messages with equal bodies become one row, which
 * counts them; rows are in the order of their digests, so that two writers lock them in one order.
 */
#ifndef KOPRU_PG_DEAD_LETTERS_H
#define KOPRU_PG_DEAD_LETTERS_H

#include "model/message.h"
#include "pg/arguments.h"
#include "pg/failure.h"

/* Writes dead letters, or counts them where an open one has that body already. Parameters: queue,
   entity, then one array each of DEAD_LETTER_*. */
extern const struct pg_statement PG_WRITE_DEAD_LETTERS;

enum { PG_DEAD_LETTER_SCALARS = 2 };

enum {
    DEAD_LETTER_ENTITY_ID,
    DEAD_LETTER_REASON,
    DEAD_LETTER_DETAIL,
    DEAD_LETTER_SQLSTATE,
    DEAD_LETTER_BODY,
    DEAD_LETTER_SHA256,
    DEAD_LETTER_CONTENT_TYPE,
    DEAD_LETTER_MESSAGE_ID,
    DEAD_LETTER_PROPERTIES,
    DEAD_LETTER_REDELIVERED,
    DEAD_LETTER_OCCURRENCES,
    DEAD_LETTER_ARRAYS,
};

/* Fills arguments that pg_arguments_init() made for PG_WRITE_DEAD_LETTERS; they still have to be
   finished. queue and entity must outlive them, the messages need not. Returns 0, or -1 when there
   is no memory or a body cannot be digested. */
int pg_dead_letters_fill(struct pg_arguments *arguments, const char *queue, const char *entity,
                         struct message **messages, size_t count);

/* What a DBA runs when the identity of the dead letters is behind their rows. */
#define PG_DEAD_LETTERS_SET_IDENTITY                                                               \
    "run, as kopru_owner: SELECT setval(pg_get_serial_sequence('kopru.dead_letters', "             \
    "'dead_letter_id'), max(dead_letter_id)) FROM kopru.dead_letters"

/* After the database refused PG_WRITE_DEAD_LETTERS: gives the failure a hint that says what to
   do. */
void pg_dead_letters_hint(struct pg_failure *failure);

#endif
