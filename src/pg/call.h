/*
 * A statement, the values of its parameters, and one call of it with what came back. The functions
 * that send calls are in round_trip.h.
 *
 * A connection knows a prepared statement by the address of its struct pg_statement: a statement
 * must neither move nor change while a connection that has sent it is open.
 */
#ifndef KOPRU_PG_CALL_H
#define KOPRU_PG_CALL_H

#include <libpq-fe.h>
#include <stdbool.h>

struct pg_statement {
    const char *name; /* unique within a connection; NULL where nobody has to tell it from others */
    const char *sql;
    int param_count;
    const Oid *param_types;
    bool begins_transaction;
    const char *writes; /* the table that it writes, without the schema: it takes arrays and returns
                           one row for each row that it wrote or deleted; a COPY returns none.
                           NULL: it does not write rows of messages */
};

/* The values of one statement's parameters, all in binary form. They are borrowed: the arrays and
   the bytes must live until the call was sent. */
struct pg_params {
    int count;
    const char *const *values; /* an element that is NULL is SQL's null */
    const int *lengths;        /* in bytes */
};

struct pg_call {
    const struct pg_statement *statement;
    const struct pg_params *params; /* NULL: the statement takes none */
    bool flush; /* the server is to send the answer at once, and not at the end of the round trip:
                   so a crash of the backend in a later statement is not laid to this one */
    PGresult *result; /* set by the round trip: rows in binary form, or NULL */
};

#endif
