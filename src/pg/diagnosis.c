#include "pg/diagnosis.h"

#include "base/file_mode.h"
#include "base/text.h"
#include "pg/tls_reason.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SQLSTATE_LENGTH = 5 };

static void copy_field(char *out, size_t size, const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);

    snprintf(out, size, "%s", text != NULL ? text : "");
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Lines that say no more than the ones before them, or may say too much. */
static bool is_worth_a_word(const char *line)
{
    static const char *const others[] = { "\t", "\n", "DETAIL:", "HINT:", "CONTEXT:", "LOCATION:" };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (starts_with(line, others[i]))
            return false;
    return *line != '\0';
}

/* libpq has one line for each host it tried. */
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

/* The hint for a SQLSTATE, from the table; false where there is none. */
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

void pg_diagnose_loss(PGconn *pg, struct pg_failure *failure, const char *what, const char *why)
{
    char said[sizeof(failure->error.why)];

    join_lines(said, sizeof(said), why != NULL ? why : PQerrorMessage(pg));
    failure->connection_lost = true;
    failure->class = SQLSTATE_RECONNECT;
    error_set(&failure->error, ERROR_UNAVAILABLE, what, PQhost(pg), "%s", said);
    if (!hint_of_state(failure))
        error_hint(&failure->error,
                   "check that the server runs and postgres.conninfo points to it");
}

/* libpq has no field for the SQLSTATE of a refused login, but with PQERRORS_VERBOSE it stands
   behind the severity, which the server translates: "FATAL:  28P01: password ...". */
static const char *find_state(const char *text)
{
    for (const char *at = strstr(text, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *state = at + strlen(":  ");

        if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == SQLSTATE_LENGTH &&
            starts_with(state + SQLSTATE_LENGTH, ": "))
            return state;
    }
    return NULL;
}

/* What libpq used, from wherever it had it. */
static void find_option(PGconn *pg, const char *keyword, char *out, size_t size)
{
    PQconninfoOption *options = PQconninfo(pg);

    out[0] = '\0';
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
        if (strcmp(option->keyword, keyword) == 0 && option->val != NULL)
            snprintf(out, size, "%s", option->val);
    PQconninfoFree(options);
}

/* libpq passes over a passfile that others may read, with a word on stderr only. */
static void hint_password(PGconn *pg, struct error *err)
{
    char path[256];
    struct stat found;

    err->kind = ERROR_PERMISSION;
    find_option(pg, "passfile", path, sizeof(path));
    if (path[0] != '\0' && stat(path, &found) == 0 &&
        file_mode_readers(found.st_mode) != FILE_READ_BY_OWNER)
        error_hint(
            err,
            "libpq does not read the passfile %s, because others than its owner may: chmod 600 %s",
            path, path);
    else
        error_hint(err, "the server wants a password and none was found: name a passfile in "
                        "postgres.conninfo whose line fits host, "
                        "port, dbname and user");
}

static const char VERIFY_FAILED[] = "certificate verify failed";

/* What libpq says where TLS is refused, and what to do about it. Returns false for all else. */
static bool hint_tls(struct error *err)
{
    static const struct {
        const char *said;
        const char *hint;
    } rows[] = {
        { VERIFY_FAILED, "the server's certificate is expired, or of an authority that sslrootcert "
                         "does not hold: see "
                         "openssl s_client -starttls postgres -connect HOST:PORT -CAfile FILE" },
        { "does not match host name",
          "sslmode=verify-full wants the host of postgres.conninfo among the names of the server's "
          "certificate: correct the host, or have a certificate made for it" },
        { "root certificate file",
          "name the file with the certificate of the server's authority: sslrootcert=FILE in "
          "postgres.conninfo" },
        { "server does not support SSL",
          "postgres.conninfo asks for TLS, also where it does not name an sslmode and the host is "
          "not "
          "local: set ssl = on at the server; kopru does not fall back to plain text" },
        { "valid client certificate",
          "the server wants a client certificate: name sslcert=FILE and sslkey=FILE in "
          "postgres.conninfo" },
        { "protocol version", "the server offers no version of TLS that is new enough: raise its "
                              "ssl_max_protocol_version" },
        { "unsupported protocol", "the server offers no version of TLS that is new enough: raise "
                                  "its ssl_max_protocol_version" },
        { "unknown ca", "the server does not know the authority of the client's certificate: look "
                        "at its ssl_ca_file" },
        { "no encryption",
          "the server wants TLS here (pg_hba.conf): set sslmode=verify-full in postgres.conninfo" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strstr(err->why, rows[i].said) != NULL) {
            error_hint(err, "%s", rows[i].hint);
            return true;
        }
    }
    return false;
}

/* libpq does not say which of the reasons it is; tls_reason.h finds out. */
static void hint_certificate(PGconn *pg, struct error *err)
{
    char ca_file[256];
    char reason[128];
    const char *address = PQhostaddr(pg);

    find_option(pg, "sslrootcert", ca_file, sizeof(ca_file));
    if (ca_file[0] != '\0' && address != NULL &&
        pg_tls_reason(address, PQport(pg), ca_file, reason, sizeof(reason)))
        error_hint(err, "the server's certificate is refused: %s", reason);
}

/* The SQLSTATE says it, else libpq's words about a password or TLS. A login that a person has to
   allow first is a pause. */
void pg_diagnose_login(PGconn *pg, struct pg_failure *failure)
{
    const char *state = find_state(PQerrorMessage(pg));

    if (state != NULL)
        snprintf(failure->sqlstate, sizeof(failure->sqlstate), "%.*s", (int)SQLSTATE_LENGTH, state);
    pg_diagnose_loss(pg, failure, "cannot connect to the database", NULL);
    if (state != NULL && sqlstate_classify(failure->sqlstate) == SQLSTATE_PAUSE)
        failure->class = SQLSTATE_PAUSE;
    if (PQconnectionNeedsPassword(pg) == 1) {
        failure->class = SQLSTATE_PAUSE;
        hint_password(pg, &failure->error);
        return;
    }
    if (starts_with(failure->sqlstate, "28") || strcmp(failure->sqlstate, "42501") == 0) {
        failure->error.kind = ERROR_PERMISSION;
        error_hint(&failure->error, "check user and password (a passfile, not postgres.conninfo), "
                                    "CONNECT on the database, and the "
                                    "server's pg_hba.conf");
    } else if (strcmp(failure->sqlstate, "3D000") == 0) {
        error_hint(&failure->error, "check dbname in postgres.conninfo");
    }
    if (!hint_tls(&failure->error))
        return;
    if (strstr(failure->error.why, VERIFY_FAILED) != NULL)
        hint_certificate(pg, &failure->error);
}

/* The server's message may quote a value and stays away, but for names of its own objects: what an
   error of our own statement, not of a function of the site, says about a missing table, column or
   privilege. */
static const char *name_object(const struct pg_failure *failure, const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (!starts_with(failure->sqlstate, "42") && !starts_with(failure->sqlstate, "3F"))
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

/* PgBouncer gives 08P01 to all errors of its own; PostgreSQL, which alone sends the untranslated
   severity, to a parameter that it cannot read. If the session lives on, every batch would fail
   like this one. */
static bool is_our_mistake(const struct pg_failure *failure, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    return strcmp(failure->sqlstate, "08P01") == 0 && severity != NULL &&
           strcmp(severity, "ERROR") == 0;
}

void pg_diagnose_refusal(PGconn *pg, struct pg_failure *failure, const PGresult *result,
                         const char *statement)
{
    const char *object;
    bool mistaken;

    copy_field(failure->sqlstate, sizeof(failure->sqlstate), result, PG_DIAG_SQLSTATE);
    copy_field(failure->table, sizeof(failure->table), result, PG_DIAG_TABLE_NAME);
    copy_field(failure->constraint, sizeof(failure->constraint), result, PG_DIAG_CONSTRAINT_NAME);
    copy_field(failure->column, sizeof(failure->column), result, PG_DIAG_COLUMN_NAME);
    mistaken = is_our_mistake(failure, result);
    failure->class = mistaken ? SQLSTATE_PAUSE : sqlstate_classify(failure->sqlstate);
    failure->statement = statement;
    if (PQstatus(pg) == CONNECTION_BAD) {
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
