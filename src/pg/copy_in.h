/*
 * Sends many rows to the server by COPY ... FROM STDIN. copy.h puts them into the form that COPY
 * takes.
 */
#ifndef KOPRU_PG_COPY_IN_H
#define KOPRU_PG_COPY_IN_H

#include "base/slice.h"
#include "pg/call.h"
#include "pg/conn.h"

struct pg_copy_in {
    const struct pg_statement *statement; /* COPY ... FROM STDIN; it has no parameters */
    struct slice data;                    /* borrowed: the rows in the format it names */
    size_t rows;                          /* that data has */
    size_t written;                       /* set when it succeeded: as the server counted them */
};

/* Runs the statements one after another, each in two round trips, in the transaction that is open.
   All of them together take the statement timeout and PG_CLIENT_GRACE_MS at most. Returns 0, or -1
   with *failure about the first statement that the server refused, or about the loss of the
   connection. */
int pg_conn_copy(struct pg_conn *conn, struct pg_copy_in *copies, size_t count,
                 struct pg_failure *failure);

#endif
