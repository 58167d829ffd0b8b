#include "pg/login_diagnosis.h"

#include "base/file_mode.h"
#include "base/text.h"
#include "pg/diagnosis.h"
#include "pg/tls_reason.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/*
 * libpq keeps no fields of an error that ends a login: PQresultErrorField() needs a result, and a
 * login has none. What is left is its text, of which the SQLSTATE is the only part that no
 * translation changes; for TLS, where no server has spoken yet, there are only libpq's and
 * OpenSSL's own English words. A text that is not known costs no more than its hint.
 */

enum { SQLSTATE_LENGTH = 5 };

static const char INVALID_AUTHORIZATION[] = "28"; /* the class */
static const char INSUFFICIENT_PRIVILEGE[] = "42501";
static const char INVALID_CATALOG_NAME[] = "3D000";

/* libpq has no field for the SQLSTATE of a refused login, but with PQERRORS_VERBOSE it stands
   behind the severity, which the server translates: "FATAL:  28P01: password ...". */
static const char *find_state(const char *text)
{
    for (const char *at = strstr(text, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *state = at + strlen(":  ");

        if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == SQLSTATE_LENGTH &&
            strncmp(state + SQLSTATE_LENGTH, ": ", 2) == 0)
            return state;
    }
    return NULL;
}

/* Returns the value that libpq used, be it from conninfo, the environment or a service file. */
static void find_option(PGconn *pg, const char *keyword, char *out, size_t size)
{
    PQconninfoOption *options = PQconninfo(pg);

    out[0] = '\0';
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
        if (strcmp(option->keyword, keyword) == 0 && option->val != NULL)
            snprintf(out, size, "%s", option->val);
    PQconninfoFree(options);
}

/* libpq passes over a passfile that others may read, and says so on stderr only. */
static void hint_password(PGconn *pg, struct error *err)
{
    char path[256];
    struct stat found;

    err->kind = ERROR_PERMISSION;
    find_option(pg, "passfile", path, sizeof(path));
    if (path[0] != '\0' && stat(path, &found) == 0 &&
        file_mode_readers(found.st_mode) != FILE_READ_BY_OWNER)
        error_hint(err,
                   "libpq does not read the passfile %s, because others than its owner may: "
                   "chmod 600 %s",
                   path, path);
    else
        error_hint(err, "the server wants a password and none was found: name a passfile in "
                        "postgres.conninfo whose line fits host, port, dbname and user");
}

static const char VERIFY_FAILED[] = "certificate verify failed";
static const char OTHER_NAME[] = "does not match host name";

/* Sets the hint for what libpq itself says when it does not take a server. Returns false for any
   other text. */
static bool hint_server(struct error *err)
{
    static const struct {
        const char *said;
        const char *hint;
    } rows[] = {
        { VERIFY_FAILED,
          "the server's certificate is expired, or of an authority that sslrootcert does not hold: "
          "see openssl s_client -starttls postgres -connect HOST:PORT -CAfile FILE" },
        { OTHER_NAME,
          "sslmode=verify-full wants the host of postgres.conninfo among the names of the server's "
          "certificate: correct the host, or have a certificate made for it" },
        { "root certificate file",
          "name the file with the certificate of the server's authority: sslrootcert=FILE in "
          "postgres.conninfo" },
        { "server does not support SSL",
          "postgres.conninfo asks for TLS, also where it does not name an sslmode and the host is "
          "not local: set ssl = on at the server; kopru does not fall back to plain text" },
        { "valid client certificate",
          "the server wants a client certificate: name sslcert=FILE and sslkey=FILE in "
          "postgres.conninfo" },
        { "protocol version", "the server offers no version of TLS that is new enough: raise its "
                              "ssl_max_protocol_version" },
        { "unsupported protocol",
          "the server offers no version of TLS that is new enough: raise its "
          "ssl_max_protocol_version" },
        { "unknown ca",
          "the server does not know the authority of the client's certificate: look at its "
          "ssl_ca_file" },
        { "session is read-only",
          "the server takes no writes now: it is a standby, a failover is under way, or "
          "default_transaction_read_only is on; name all hosts in postgres.conninfo" },
        { "server is in hot standby mode", "the server is a standby: name all hosts in "
                                           "postgres.conninfo, and see whether there is a "
                                           "primary" },
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

/* libpq does not say all that can be known of a certificate that it refuses; tls_reason.h finds
   out. */
static void hint_certificate(PGconn *pg, struct error *err)
{
    char ca_file[256];
    char reason[128];
    char names[256];
    const char *address = PQhostaddr(pg);

    find_option(pg, "sslrootcert", ca_file, sizeof(ca_file));
    if (address == NULL)
        return;
    if (strstr(err->why, OTHER_NAME) != NULL &&
        pg_tls_names(address, PQport(pg), names, sizeof(names)))
        error_hint(err,
                   "postgres.conninfo asks for %s, and the server's certificate was made for %s: "
                   "correct the host, or have a certificate made for it",
                   PQhost(pg), names);
    if (strstr(err->why, VERIFY_FAILED) != NULL && ca_file[0] != '\0' &&
        pg_tls_reason(address, PQport(pg), ca_file, reason, sizeof(reason)))
        error_hint(err, "the server's certificate is refused: %s", reason);
}

/* A SQLSTATE about the login itself. */
static void hint_login(struct pg_failure *failure)
{
    const char *sqlstate = failure->sqlstate;

    if (strncmp(sqlstate, INVALID_AUTHORIZATION, strlen(INVALID_AUTHORIZATION)) == 0 ||
        strcmp(sqlstate, INSUFFICIENT_PRIVILEGE) == 0) {
        failure->error.kind = ERROR_PERMISSION;
        error_hint(&failure->error,
                   "check user and password (a passfile, not postgres.conninfo), CONNECT on the "
                   "database, and the server's pg_hba.conf");
    } else if (strcmp(sqlstate, INVALID_CATALOG_NAME) == 0) {
        error_hint(&failure->error, "check dbname in postgres.conninfo");
    }
}

void pg_diagnose_login(PGconn *pg, struct pg_failure *failure)
{
    const char *state = find_state(PQerrorMessage(pg));

    if (state != NULL)
        snprintf(failure->sqlstate, sizeof(failure->sqlstate), "%.*s", SQLSTATE_LENGTH, state);
    pg_diagnose_loss(pg, failure, "cannot connect to the database", NULL);
    /* A login that a person has to allow first is a pause, not an outage. */
    if (state != NULL && sqlstate_classify(failure->sqlstate) == SQLSTATE_PAUSE)
        failure->class = SQLSTATE_PAUSE;
    if (PQconnectionNeedsPassword(pg) == 1) {
        failure->class = SQLSTATE_PAUSE;
        hint_password(pg, &failure->error);
        return;
    }
    hint_login(failure);
    if (hint_server(&failure->error))
        hint_certificate(pg, &failure->error);
}
