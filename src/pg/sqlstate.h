/*
 * What to do about a SQLSTATE: one table. Only what it says is about a value makes a dead letter. A
 * SQLSTATE that is not in the table is retried, until there is proof that it is about one message
 * (sqlstate_is_unclassified()).
 */
#ifndef KOPRU_PG_SQLSTATE_H
#define KOPRU_PG_SQLSTATE_H

#include <stdbool.h>
#include <stddef.h>

enum sqlstate_class {
    SQLSTATE_RETRY,     /* an outage or a conflict: roll back and try the same again */
    SQLSTATE_RECONNECT, /* as RETRY, but on a new connection */
    SQLSTATE_PAUSE,     /* a person must change something first: say what, and retry slowly */

    /* A value is wrong, as in 23514 for a CHECK constraint: isolate the message, it becomes a dead
       letter. */
    SQLSTATE_REFUSE,
};

/* state may be NULL or "" when the connection died before the server could say why; that is
   SQLSTATE_RECONNECT. */
enum sqlstate_class sqlstate_classify(const char *state);

/* Whether no rule says what the SQLSTATE is about: it has no row in the table, or is an internal
   error, which a value may have caused. It is retried; but a single message that fails with it
   again and again, while others commit, is at fault. */
bool sqlstate_is_unclassified(const char *state);

/* Returns "retry" for SQLSTATE_RETRY, and so on. */
const char *sqlstate_class_name(enum sqlstate_class class);

/* A row of the table: a whole SQLSTATE or a class of two characters. */
struct sqlstate_row {
    const char *state;
    enum sqlstate_class class;
    const char *why; /* for a person: what it means, and what to do where that can be said */
};

/* Returns the row that decides: that of the whole SQLSTATE, else that of its class. Returns NULL if
   there is none, and for NULL and "". */
const struct sqlstate_row *sqlstate_find(const char *state);

/* Returns the whole table, for documentation and tests. */
const struct sqlstate_row *sqlstate_table(size_t *count);

#endif
