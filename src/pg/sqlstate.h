/*
 * From SQLSTATE to what to do about it: one table. Dead-lettering is an allow-list; what is not in
 * the table is kept and retried.
 */
#ifndef KOPRU_PG_SQLSTATE_H
#define KOPRU_PG_SQLSTATE_H

#include <stdbool.h>
#include <stddef.h>

enum sqlstate_class {
    SQLSTATE_RETRY,     /* an outage or a conflict: roll back and try the same again */
    SQLSTATE_RECONNECT, /* the same, on a new connection */
    SQLSTATE_PAUSE,  /* a person must change something in the database first: retry slowly, say what
                      */
    SQLSTATE_REFUSE, /* about a value: isolate the message, it becomes a dead letter */
};

/* state may be NULL or "": the connection died before the server could say why. */
enum sqlstate_class sqlstate_classify(const char *state);

/* Whether no rule says what it is about: it has no row, or is an internal error that a value may
   have caused. It is retried; but a single message that it hits again and again, while others
   commit, is at fault. */
bool sqlstate_is_unclassified(const char *state);

const char *sqlstate_class_name(enum sqlstate_class class);

/* A row of the table: a whole SQLSTATE or a class of two characters. */
struct sqlstate_row {
    const char *state;
    enum sqlstate_class class;
    const char *why; /* for a person; also what to do, where that can be said */
};

/* The row that decides: that of the whole SQLSTATE, else that of its class. NULL if there is none,
   also for NULL and "". */
const struct sqlstate_row *sqlstate_find(const char *state);

/* The whole table, for documentation and tests. */
const struct sqlstate_row *sqlstate_table(size_t *count);

#endif
