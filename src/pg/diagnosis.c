#include "pg/diagnosis.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The server's words are not passed on, with one exception, because PostgreSQL quotes the value
 * that it refuses: `invalid input syntax for type date: "..."`. A log that leaves the machine would
 * carry personal data with it. What is passed on are the fields that hold names of tables, columns
 * and constraints, and the SQLSTATE, for which sqlstate.h has words of its own.
 */

static const char NOT_SUPPORTED[] = "0A";

static void copy_field(char *out, size_t size, const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);

    snprintf(out, size, "%s", text != NULL ? text : "");
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Returns false for a line that says no more than the ones before it, or that may quote a value. */
static bool is_worth_a_word(const char *line)
{
    static const char *const others[] = { "\t", "\n", "DETAIL:", "HINT:", "CONTEXT:", "LOCATION:" };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (starts_with(line, others[i]))
            return false;
    return *line != '\0';
}

/* libpq has one line for each host that it tried. */
static void join_lines(char *out, size_t size, const char *text)
{
    out[0] = '\0';
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        if (is_worth_a_word(text))
            text_append(out, size, "%s%.*s", out[0] != '\0' ? "; " : "", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

/* Sets the hint for a SQLSTATE from the table. Returns false if the table has none. */
static bool hint_of_state(struct pg_failure *failure)
{
    const struct sqlstate_row *row = sqlstate_find(failure->sqlstate);

    if (row == NULL)
        return false;
    if (row->class == SQLSTATE_PAUSE &&
        (starts_with(row->state, "42") || starts_with(row->state, "3F")))
        error_hint(&failure->error,
                   "run `kopru check`: it names what is missing and the migration that brings it");
    else
        error_hint(&failure->error, "%s", row->why);
    return true;
}

/* libpq 17 has no words for a socket that it could not make. Writes what the system says about
   another one. */
static void explain_silence(char *out, size_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        snprintf(out, size, "cannot make a socket: %s", strerror(errno));
        return;
    }
    close(fd);
    snprintf(out, size, "libpq gives no reason");
}

static void explain_statement_pooling(PGconn *pg, struct pg_failure *failure)
{
    failure->class = SQLSTATE_PAUSE;
    error_set(
        &failure->error, ERROR_PROBLEMS, "PgBouncer does not pool by transaction", PQhost(pg),
        "with pool_mode = statement it ends the session of a transaction that takes more than "
        "one round trip");
    error_hint(&failure->error,
               "set pool_mode = transaction for this database in PgBouncer's configuration, then "
               "give it the command RELOAD");
}

void pg_diagnose_loss(PGconn *pg, struct pg_failure *failure, const char *what, const char *why)
{
    char said[sizeof(failure->error.why)];

    join_lines(said, sizeof(said), why != NULL ? why : PQerrorMessage(pg));
    failure->connection_lost = true;
    failure->class = SQLSTATE_RECONNECT;
    if (failure->statement_pooling) {
        explain_statement_pooling(pg, failure);
        return;
    }
    if (said[0] == '\0') {
        explain_silence(said, sizeof(said));
        error_set(&failure->error, ERROR_UNAVAILABLE, what, PQhost(pg), "%s", said);
        error_hint(&failure->error,
                   "check the limits of kopru's process (ulimit -n, memory), then the server");
        return;
    }
    error_set(&failure->error, ERROR_UNAVAILABLE, what, PQhost(pg), "%s", said);
    if (!hint_of_state(failure))
        error_hint(&failure->error,
                   "check that the server runs and postgres.conninfo points to it");
}

/* Messages of class 0A say what is not supported. Nearly all name no more than objects, but there
   is `date/time value "..." is no longer supported`, so none with a quotation mark is passed on, of
   whatever language. */
static bool quotes_nothing(const char *message)
{
    for (; *message != '\0'; message++)
        if ((unsigned char)*message > '~' || strchr("\"'`<>", *message) != NULL)
            return false;
    return true;
}

/* The exception: returns what an error of our own statement, not of a function of the site, says
   about a missing table, column or privilege, which can only name objects, or about what is not
   supported. Returns NULL for any other error. */
static const char *name_object(const struct pg_failure *failure, const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool unsupported = starts_with(failure->sqlstate, NOT_SUPPORTED);

    if (!unsupported && !starts_with(failure->sqlstate, "42") &&
        !starts_with(failure->sqlstate, "3F"))
        return NULL;
    if (unsupported && message != NULL && !quotes_nothing(message))
        return NULL;
    if (PQresultErrorField(result, PG_DIAG_CONTEXT) != NULL ||
        PQresultErrorField(result, PG_DIAG_INTERNAL_QUERY) != NULL)
        return NULL;
    return message;
}

static enum error_kind kind_of(const struct pg_failure *failure)
{
    switch (failure->class) {
    case SQLSTATE_REFUSE:
        return ERROR_DATA;
    case SQLSTATE_PAUSE:
        return strcmp(failure->sqlstate, "42501") == 0 ? ERROR_PERMISSION : ERROR_PROBLEMS;
    case SQLSTATE_RETRY:
    case SQLSTATE_RECONNECT:
        break;
    }
    return ERROR_UNAVAILABLE;
}

/* Only PostgreSQL sends the untranslated severity; PgBouncer, which ends the session with an error
   of its own, does not. */
static bool keeps_session(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    return severity != NULL && strcmp(severity, "ERROR") == 0;
}

/* PgBouncer says so before it ends the session, and translates nothing. */
static bool is_statement_pooling(const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    return message != NULL && strstr(message, "statement pooling mode") != NULL &&
           PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED) == NULL;
}

/* The context names the functions and statements in which the error was raised; of a parameter that
   could not be read it has one line, `unnamed portal parameter $5`, in the server's language. */
static void note_place(struct pg_failure *failure, const PGresult *result)
{
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    const char *parameter = context != NULL ? strrchr(context, '$') : NULL;

    failure->in_parameter = parameter != NULL && strchr(context, '\n') == NULL &&
                            strspn(parameter + 1, "0123456789") == strlen(parameter + 1);
    failure->in_function = context != NULL && !failure->in_parameter;
}

/* PgBouncer gives 08P01 to all errors of its own; PostgreSQL gives it to a parameter that it cannot
   read. Then every batch would fail like this one. */
static bool is_our_mistake(const struct pg_failure *failure)
{
    return strcmp(failure->sqlstate, "08P01") == 0 && failure->session_lives &&
           !failure->in_function;
}

/* RAISE ... USING TABLE = NEW.name: what a procedural language raises has the names that the site's
   function gives it. They may be values, and no constraint of ours has refused anything. The source
   files of all procedural languages begin with `pl`; no file of the server's own that begins so
   names a table. */
bool pg_names_are_made_up(const PGresult *result)
{
    const char *file = PQresultErrorField(result, PG_DIAG_SOURCE_FILE);

    return file != NULL && starts_with(file, "pl");
}

static void copy_names(struct pg_failure *failure, const PGresult *result)
{
    copy_field(failure->schema, sizeof(failure->schema), result, PG_DIAG_SCHEMA_NAME);
    copy_field(failure->table, sizeof(failure->table), result, PG_DIAG_TABLE_NAME);
    copy_field(failure->constraint, sizeof(failure->constraint), result, PG_DIAG_CONSTRAINT_NAME);
    copy_field(failure->column, sizeof(failure->column), result, PG_DIAG_COLUMN_NAME);
}

void pg_diagnose_refusal(PGconn *pg, struct pg_failure *failure, const PGresult *result,
                         const char *statement)
{
    const char *object;
    bool mistaken;

    copy_field(failure->sqlstate, sizeof(failure->sqlstate), result, PG_DIAG_SQLSTATE);
    if (!pg_names_are_made_up(result))
        copy_names(failure, result);
    note_place(failure, result);
    failure->session_lives = keeps_session(result);
    failure->statement_pooling = is_statement_pooling(result);
    mistaken = is_our_mistake(failure);
    failure->class = mistaken ? SQLSTATE_PAUSE : sqlstate_classify(failure->sqlstate);
    failure->statement = statement;
    if (PQstatus(pg) == CONNECTION_BAD) {
        failure->session_lives = false;
        pg_diagnose_loss(pg, failure, "lost the connection to the database", NULL);
        return;
    }
    failure->connection_lost = failure->class == SQLSTATE_RECONNECT;
    object = name_object(failure, result);
    error_set(&failure->error, kind_of(failure), "the database refused a statement", statement,
              "SQLSTATE %s%s%s%s%s%s%s%s%s", failure->sqlstate,
              failure->table[0] != '\0' ? ", table " : "", failure->table,
              failure->column[0] != '\0' ? ", column " : "", failure->column,
              failure->constraint[0] != '\0' ? ", constraint " : "", failure->constraint,
              object != NULL ? ": " : "", object != NULL ? object : "");
    if (mistaken)
        error_hint(
            &failure->error,
            "the server cannot read a parameter: this is a mistake of kopru's, please report it");
    else
        hint_of_state(failure);
}

/* A session behind a pooler may have executed the statement before, for another connection, and so
   keep a plan of it. The SQLSTATE is the same as for what the server does not support; only the
   name of the function in the server's source tells them apart. */
static bool is_of_cached_plan(const PGresult *result)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return function != NULL && strcmp(function, "RevalidateCachedQuery") == 0;
}

/* The connection is given up all the same, so that the next attempt is a first use as well and
   comes to the same verdict. */
void pg_diagnose_first_use(struct pg_failure *failure, const PGresult *result)
{
    if (!starts_with(failure->sqlstate, NOT_SUPPORTED) || !failure->session_lives ||
        is_of_cached_plan(result))
        return;
    failure->class = SQLSTATE_PAUSE;
    failure->error.kind = ERROR_PROBLEMS;
    error_hint(&failure->error,
               "the server cannot execute this statement on these tables as they are, and a new "
               "connection changes nothing: look at what kind of tables they are and what was put "
               "on them (kopru check); the server's log has the message");
}
