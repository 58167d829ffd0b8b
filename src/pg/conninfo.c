#include "pg/conninfo.h"

#include "base/address.h"
#include "base/text.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

/*
 * libpq has no call that reads a connection string as PQconnectdb() would, with environment,
 * service file and defaults. PQconninfoParse() knows only the string, PQconndefaults() only the
 * rest. So a connection is begun that is bound to stop before it asks anybody, and libpq is asked
 * what it would have used.
 *
 * libpq's own words about a wrong string quote it, password and all. They are looked at here for
 * what is wrong and never passed on.
 */

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL ? options->val : "";
    return "";
}

static bool is_local(const char *host, size_t len)
{
    return len == 0 || host[0] == '/' || host[0] == '@' ||
           address_is_loopback((struct slice){ host, len });
}

/* host is a list "a,b". */
static bool any_remote(const char *hosts)
{
    while (*hosts != '\0') {
        size_t len = strcspn(hosts, ",");

        if (!is_local(hosts, len))
            return true;
        hosts += len + (hosts[len] == ',');
    }
    return false;
}

/* Whether a host or port cannot be one. libpq takes pieces of a password for them when the password
   stands in a URI and has an @ or / that is not percent-encoded. */
static bool has_stray_password(const PQconninfoOption *options)
{
    const char *hosts = value_of(options, "host");
    const char *port = value_of(options, "port");

    for (const char *at = strchr(hosts, '@'); at != NULL; at = strchr(at + 1, '@'))
        if (at != hosts && at[-1] != ',') /* there it begins the name of an abstract socket */
            return true;
    return port[strspn(port, "0123456789,")] != '\0';
}

/* Returns all options as libpq would use them, or NULL when there is no memory. An invalid
   channel_binding stops libpq before it asks anybody, and a passfile that cannot exist keeps it
   from looking for a password. */
static PQconninfoOption *resolve(const char *conninfo)
{
    const char *const keywords[] = { "dbname", "passfile", "channel_binding", NULL };
    const char *const values[] = { conninfo, "/dev/null/none", "none such", NULL };
    PGconn *pg = PQconnectStartParams(keywords, values, 1);
    PQconninfoOption *options = PQconninfo(pg);

    PQfinish(pg);
    return options;
}

static bool names_remote_host(const PQconninfoOption *options)
{
    return any_remote(value_of(options, "host")) || any_remote(value_of(options, "hostaddr"));
}

static const char *default_sslmode(const PQconninfoOption *given, const PQconninfoOption *all)
{
    const char *environment = getenv("PGSSLMODE");
    bool is_said = *value_of(given, "sslmode") != '\0' ||
                   (environment != NULL && *environment != '\0') ||
                   strcmp(value_of(all, "sslmode"), "prefer") != 0;

    return !is_said && names_remote_host(all) ? "verify-full" : NULL;
}

static void describe(const PQconninfoOption *given, const PQconninfoOption *all,
                     struct pg_conninfo *out)
{
    static const char *const keywords[] = {
        "service", "host", "hostaddr", "port", "dbname", "user"
    };
    const char *hosts =
        *value_of(all, "host") != '\0' ? value_of(all, "host") : value_of(all, "hostaddr");
    const char *session = value_of(all, "target_session_attrs");

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        const char *value = value_of(all, keywords[i]);

        if (*value != '\0')
            text_append(out->name, sizeof(out->name), "%s%s=%s", out->name[0] != '\0' ? " " : "",
                        keywords[i], value);
    }
    out->is_remote = names_remote_host(all);
    out->has_many_hosts = strchr(hosts, ',') != NULL;
    out->asks_read_write = strcmp(session, "read-write") == 0 || strcmp(session, "primary") == 0;
    out->verifies_server =
        default_sslmode(given, all) != NULL || strcmp(value_of(all, "sslmode"), "verify-full") == 0;
}

/* Returns the keyword that libpq does not know, as its text quotes it. *len is its length, and 0
   where the keyword may be a piece of a password, as b is in `password=a b=c`. */
static const char *unknown_keyword(const char *conninfo, const char *said, size_t *len)
{
    static const char *const starts[] = { "invalid connection option \"",
                                          "invalid URI query parameter: \"" };
    const char *keyword = "";

    *len = 0;
    if (strstr(conninfo, "password") != NULL || strchr(conninfo, '@') != NULL)
        return keyword;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (strncmp(said, starts[i], strlen(starts[i])) == 0) {
            keyword = said + strlen(starts[i]);
            *len = strcspn(keyword, "\"");
        }
    }
    return keyword;
}

static int refuse(const char *conninfo, const char *said, struct error *err)
{
    size_t len;
    const char *keyword = unknown_keyword(conninfo, said != NULL ? said : "", &len);

    if (len > 0)
        error_set(err, ERROR_CONFIG, "invalid connection string", "postgres.conninfo",
                  "libpq does not know the keyword %.*s", (int)len, keyword);
    else
        error_set(err, ERROR_CONFIG, "invalid connection string", "postgres.conninfo",
                  "libpq cannot read it");
    return error_hint(
        err, "write keyword=value pairs (host=... dbname=... user=...), or a URI postgresql://...");
}

/* libpq looks at these values only when it connects. */
static const struct {
    const char *keyword;
    const char *values[7];
    const char *hint;
} chosen[] = {
    { "sslmode",
      { "disable", "allow", "prefer", "require", "verify-ca", "verify-full" },
      "write one of disable, allow, prefer, require, verify-ca, verify-full" },
    { "target_session_attrs",
      { "any", "read-write", "read-only", "primary", "standby", "prefer-standby" },
      "write one of any, read-write, read-only, primary, standby, prefer-standby" },
};

static bool is_one_of(const char *const *values, const char *value)
{
    for (; *values != NULL; values++)
        if (strcmp(*values, value) == 0)
            return true;
    return false;
}

/* Whether libpq would look for a file in the directory in which kopru was started, which nobody
   means. */
static bool is_relative_path(const PQconninfoOption *option)
{
    static const char *const paths[] = { "passfile", "sslcert",   "sslkey", "sslrootcert",
                                         "sslcrl",   "sslcrldir", NULL };

    if (!is_one_of(paths, option->keyword) || option->val[0] == '\0' || option->val[0] == '/')
        return false;
    if (strcmp(option->keyword, "sslrootcert") == 0 && strcmp(option->val, "system") == 0)
        return false; /* the authorities of the system, from libpq 16 on */
    /* the key of an OpenSSL engine: "pkcs11:..." */
    return strcmp(option->keyword, "sslkey") != 0 || strchr(option->val, ':') == NULL;
}

/* Checks only what the string itself says: the environment and the service file are not
   postgres.conninfo. */
static int check_values(const PQconninfoOption *given, struct error *err)
{
    for (; given->keyword != NULL; given++) {
        if (given->val != NULL && is_relative_path(given)) {
            error_set(err, ERROR_CONFIG, "invalid connection string", "postgres.conninfo",
                      "the path in %s is relative, and libpq would take it from the directory in "
                      "which kopru is started",
                      given->keyword);
            return error_hint(err, "write the whole path, which begins with /");
        }
        for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++) {
            if (given->val == NULL || strcmp(given->keyword, chosen[i].keyword) != 0 ||
                is_one_of(chosen[i].values, given->val))
                continue;
            error_set(err, ERROR_CONFIG, "invalid connection string", "postgres.conninfo",
                      "libpq does not know this value of %s", given->keyword);
            return error_hint(err, "%s", chosen[i].hint);
        }
    }
    return 0;
}

int pg_conninfo_read(const char *conninfo, struct pg_conninfo *out, struct error *err)
{
    char *said = NULL;
    PQconninfoOption *given = PQconninfoParse(conninfo, &said);
    PQconninfoOption *all;

    memset(out, 0, sizeof(*out));
    if (given == NULL) {
        /* A restart may help when memory is short; exit status 78 would tell a service manager
           that it cannot. */
        if (said == NULL || strstr(said, "out of memory") != NULL)
            error_no_memory(err);
        else
            refuse(conninfo, said, err);
        PQfreemem(said);
        return -1;
    }
    if (has_stray_password(given)) {
        PQconninfoFree(given);
        error_set(err, ERROR_CONFIG, "invalid connection string", "postgres.conninfo",
                  "a host contains an @, or a port is not a number");
        return error_hint(
            err, "in a URI's user and password write @ as %%40, : as %%3A, / as %%2F, %% as %%25");
    }
    if (check_values(given, err) != 0) {
        PQconninfoFree(given);
        return -1;
    }
    all = resolve(conninfo);
    if (all == NULL) {
        PQconninfoFree(given);
        return error_no_memory(err);
    }
    describe(given, all, out);
    PQconninfoFree(given);
    PQconninfoFree(all);
    return 0;
}

const char *pg_conninfo_default_sslmode(const char *conninfo)
{
    PQconninfoOption *given = PQconninfoParse(conninfo, NULL);
    PQconninfoOption *all = given != NULL ? resolve(conninfo) : NULL;
    const char *sslmode = all != NULL ? default_sslmode(given, all) : "verify-full";

    PQconninfoFree(given);
    PQconninfoFree(all);
    return sslmode;
}
