#include "pg/sqlstate.h"

#include <string.h>

/* A whole SQLSTATE is looked up before its class of two characters, so the order of the rows does
   not matter; they are grouped for the reader. A row that is wrong is worse than one that is
   missing: what is missing is retried, and no message is lost by that. */
static const struct sqlstate_row TABLE[] = {
    /* about a value: the allow-list of dead letters */
    { "22", SQLSTATE_REFUSE, "data exception" },
    { "44", SQLSTATE_REFUSE, "a view's check option" },
    { "23", SQLSTATE_REFUSE, "a constraint of the table" },
    { "P0", SQLSTATE_REFUSE, "a trigger of the site refused the row" },
    { "54000", SQLSTATE_REFUSE, "a program limit, such as an index key that is too long" },
    { "54001", SQLSTATE_REFUSE, "nested too deeply" },
    { "54011", SQLSTATE_REFUSE, "too many columns" },
    { "54023", SQLSTATE_REFUSE, "too many arguments" },
    /* what looks like a value and is not */
    { "22P03", SQLSTATE_PAUSE,
      "wrong binary representation: an encoder or the schema is wrong, every row would fail" },
    { "2200H", SQLSTATE_PAUSE,
      "a sequence has no more numbers: ALTER SEQUENCE ... MAXVALUE, or start it anew (setval)" },
    { "23503", SQLSTATE_PAUSE, "foreign key: a bug, or a key of the site" },
    /* a person must change something */
    { "0A", SQLSTATE_RECONNECT, "a cached plan does not fit a changed table" },
    { "21", SQLSTATE_PAUSE, "the same key twice in one statement: a bug" },
    { "28", SQLSTATE_PAUSE, "not allowed to connect" },
    { "3D", SQLSTATE_PAUSE, "no such database" },
    { "3F", SQLSTATE_PAUSE, "no such schema" },
    { "42", SQLSTATE_PAUSE, "a missing table, column or privilege" },
    { "57P04", SQLSTATE_PAUSE, "the database was dropped" },
    { "XX001", SQLSTATE_PAUSE, "data corruption" },
    { "XX002", SQLSTATE_PAUSE, "index corruption" },
    /* outages and conflicts */
    { "08", SQLSTATE_RECONNECT, "the connection failed, or PgBouncer had none to give" },
    { "25006", SQLSTATE_RECONNECT,
      "default_transaction_read_only, or a standby: set target_session_attrs=read-write" },
    { "25P03", SQLSTATE_RECONNECT, "idle in a transaction for too long: this process was frozen" },
    { "25", SQLSTATE_RECONNECT, "transaction state, or a timeout that ends the session" },
    { "26", SQLSTATE_RECONNECT, "a prepared statement is gone: a pooler, or DISCARD" },
    { "42P05", SQLSTATE_RECONNECT, "a prepared statement is there already: a pooler" },
    { "40003", SQLSTATE_RECONNECT, "the outcome is unknown" },
    { "40", SQLSTATE_RETRY, "serialization failure or deadlock" },
    { "53100", SQLSTATE_RETRY, "the server's disk is full: free some space" },
    { "53200", SQLSTATE_RETRY,
      "the server has no memory: look at work_mem and at what else runs there" },
    { "53300", SQLSTATE_RETRY,
      "no free connection: raise max_connections or the role's limit, or use a pooler" },
    { "53", SQLSTATE_RETRY, "the server lacks resources" },
    { "55P03", SQLSTATE_RETRY,
      "a lock is held: pg_locks says by whom; a holder without a pid is in pg_prepared_xacts" },
    { "55", SQLSTATE_RETRY, "the server or an object of it is not in the state for this" },
    { "57014", SQLSTATE_RETRY, "cancelled, by statement_timeout or a person" },
    { "57P01", SQLSTATE_RECONNECT, "ended by an operator, or the server shuts down" },
    { "57P02", SQLSTATE_RECONNECT, "a process of the server crashed" },
    { "57P03", SQLSTATE_RECONNECT, "the server starts up, recovers or shuts down" },
    { "57P05", SQLSTATE_RECONNECT,
      "idle for longer than idle_session_timeout: set it to 0 for this role" },
    { "57", SQLSTATE_RECONNECT, "an operator intervened" },
    { "58", SQLSTATE_RETRY, "an error of the system beneath the server" },
    { "F0", SQLSTATE_RETRY, "the server's configuration file" },
    { "XX", SQLSTATE_RETRY, "an internal error of the server" },
};

static const struct sqlstate_row *find_exactly(const char *state, size_t len)
{
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        if (strlen(TABLE[i].state) == len && strncmp(TABLE[i].state, state, len) == 0)
            return &TABLE[i];
    }
    return NULL;
}

const struct sqlstate_row *sqlstate_find(const char *state)
{
    const struct sqlstate_row *row;

    if (state == NULL || strlen(state) != 5)
        return NULL;
    row = find_exactly(state, 5);
    return row != NULL ? row : find_exactly(state, 2);
}

enum sqlstate_class sqlstate_classify(const char *state)
{
    const struct sqlstate_row *row = sqlstate_find(state);

    if (state == NULL || strlen(state) != 5)
        return SQLSTATE_RECONNECT;
    return row != NULL ? row->class : SQLSTATE_RETRY;
}

bool sqlstate_is_unclassified(const char *state)
{
    if (state == NULL || strlen(state) != 5)
        return false;
    return sqlstate_find(state) == NULL || strcmp(state, "XX000") == 0;
}

const char *sqlstate_class_name(enum sqlstate_class class)
{
    switch (class) {
    case SQLSTATE_RETRY:
        return "retry";
    case SQLSTATE_RECONNECT:
        return "reconnect";
    case SQLSTATE_PAUSE:
        return "pause";
    case SQLSTATE_REFUSE:
        return "refuse";
    }
    return "unknown";
}

const struct sqlstate_row *sqlstate_table(size_t *count)
{
    *count = sizeof(TABLE) / sizeof(TABLE[0]);
    return TABLE;
}
