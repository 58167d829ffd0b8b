/*
 * Why something that was asked of the database failed: for the program a class that says what to do
 * about it, for a person an error in words. Filled by the functions of a connection and by
 * diagnosis.h; a plain value, nothing in it is to be freed.
 */
#ifndef KOPRU_PG_FAILURE_H
#define KOPRU_PG_FAILURE_H

#include "base/error.h"
#include "pg/sqlstate.h"

struct pg_failure {
    enum sqlstate_class class; /* what to do about it */
    bool connection_lost;      /* the connection can only be closed */
    const char *statement;     /* the name of the statement that was refused, or of the first one
                                  that was not answered before the connection was lost; NULL if
                                  there was none */
    bool unreplicated;         /* also set for a COMMIT that succeeded: somebody ended its wait for
                                  the synchronous standby */
    bool not_written; /* the database took the statements, but not every row is there: `table` says
                         where */
    bool timed_out;   /* lost because a round trip took longer than it may */
    bool over_limit;  /* given up because a round trip received more than it may */
    bool statement_pooling; /* lost because a pooler takes no transaction of several round trips */
    bool session_lives;     /* the server answered with an error and keeps the session */
    bool in_function;       /* it was raised in a function or a trigger, or while one was called */
    bool in_parameter; /* it was raised while a parameter was read, before anything was executed */
    /* These three are set by verdict.h. */
    bool suspect;      /* it may be about a message */
    bool unproven;     /* of SQLSTATE_REFUSE: only if others can be written is a message at fault */
    bool unclassified; /* a message that goes on failing with it while others do not is at fault */
    char sqlstate[6];  /* this and what follows: "" where the server did not say */
    char schema[64];   /* longer names are cut off */
    char table[64];
    char constraint[64];
    char column[64];
    char partition_of[64]; /* set by partition.h: the entity's table of which `table` is a
                              partition; "" if it is none */
    struct error error;    /* without values: the server's DETAIL never gets here */
};

#endif
