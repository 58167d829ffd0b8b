#include "pg/conninfo.h"

#include "base/text.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL ? options->val : "";
    return "";
}

static bool is_local(const char *host, size_t len)
{
    static const char *const names[] = { "localhost", "::1" };

    if (len == 0 || host[0] == '/' || host[0] == '@' || (len >= 4 && memcmp(host, "127.", 4) == 0))
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == len && memcmp(names[i], host, len) == 0)
            return true;
    return false;
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

/* Whether a host or port cannot be one: of a URI whose password has an @ or / that is not percent-encoded, libpq takes pieces for them. */
static bool has_stray_password(const PQconninfoOption *options)
{
    const char *hosts = value_of(options, "host");
    const char *port = value_of(options, "port");

    for (const char *at = strchr(hosts, '@'); at != NULL; at = strchr(at + 1, '@'))
        if (at != hosts && at[-1] != ',') /* there it begins the name of an abstract socket */
            return true;
    return port[strspn(port, "0123456789,")] != '\0';
}

static void describe(const PQconninfoOption *options, struct pg_conninfo *out)
{
    static const char *const keywords[] = { "service", "host", "hostaddr", "port", "dbname", "user" };
    const char *hosts = *value_of(options, "host") != '\0' ? value_of(options, "host") : value_of(options, "hostaddr");
    const char *session = value_of(options, "target_session_attrs");

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        const char *value = value_of(options, keywords[i]);

        if (*value != '\0')
            text_append(out->name, sizeof(out->name), "%s%s=%s", out->name[0] != '\0' ? " " : "", keywords[i], value);
    }
    out->is_remote = any_remote(hosts);
    out->has_many_hosts = strchr(hosts, ',') != NULL;
    out->asks_read_write = strcmp(session, "read-write") == 0 || strcmp(session, "primary") == 0;
    out->verifies_server = strcmp(value_of(options, "sslmode"), "verify-full") == 0;
}

/* What was given explicitly wins over libpq's defaults, as at connect. Both arrays come from the same library, in the same order. */
static void overlay(PQconninfoOption *defaults, const PQconninfoOption *given)
{
    for (; defaults->keyword != NULL; defaults++) {
        const char *value = value_of(given, defaults->keyword);

        if (*value == '\0')
            continue;
        PQfreemem(defaults->val);
        defaults->val = strdup(value);
    }
}

int pg_conninfo_read(const char *conninfo, struct pg_conninfo *out, struct error *err)
{
    PQconninfoOption *given = PQconninfoParse(conninfo, NULL);
    PQconninfoOption *all;

    memset(out, 0, sizeof(*out));
    if (given == NULL) {
        error_set(err, ERROR_CONFIG, "invalid connection string", "postgres.conninfo", "libpq cannot read it");
        return error_hint(err, "write keyword=value pairs (host=... dbname=... user=...), or a URI postgresql://...");
    }
    if (has_stray_password(given)) {
        PQconninfoFree(given);
        error_set(err, ERROR_CONFIG, "invalid connection string", "postgres.conninfo",
                  "a host holds an @, or a port is no number");
        return error_hint(err, "in a URI's user and password write @ as %%40, : as %%3A, / as %%2F, %% as %%25");
    }
    all = PQconndefaults();
    if (all == NULL) {
        PQconninfoFree(given);
        return error_no_memory(err);
    }
    overlay(all, given);
    describe(all, out);
    PQconninfoFree(given);
    PQconninfoFree(all);
    return 0;
}
