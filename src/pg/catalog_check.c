#include "pg/catalog_review.h"

#include "base/utf8.h"
#include "pg/catalog_tables.h"

#include <stdlib.h>
#include <string.h>

/*
 * What makes a promise untrue is a problem, and the daemon waits until it is gone. What makes one
 * weaker is a warning, since a site may have decided so: fsync is off on many a test server.
 * Problems are listed in the order in which a person would mend them: the server, the schema,
 * migrations, tables.
 */

enum { OLDEST_SERVER = 130000 };

static const char *fact(const struct review *review, enum server_fact which)
{
    return catalog_server_fact(review->catalog, which);
}

static void check_server(struct review *review)
{
    struct error err;

    if (atoi(fact(review, SERVER_VERSION_NUMBER)) < OLDEST_SERVER) {
        error_set(&err, ERROR_PROBLEMS, "server too old", "server", "it is PostgreSQL %s",
                  fact(review, SERVER_VERSION_TEXT));
        error_hint(&err, "kopru needs PostgreSQL 13 or newer");
        review_problem(review, &err);
    }
    if (strcmp(fact(review, SERVER_ENCODING), "UTF8") != 0) {
        error_set(&err, ERROR_PROBLEMS, "wrong encoding of database", fact(review, SERVER_DATABASE),
                  "it is %s, but must be UTF8", fact(review, SERVER_ENCODING));
        error_hint(&err, "install into a database made with: "
                         "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0");
        review_problem(review, &err);
    }
    if (strcmp(fact(review, SERVER_CLIENT_ENCODING), "UTF8") != 0) {
        error_set(&err, ERROR_PROBLEMS, "wrong client encoding", "client_encoding",
                  "it is %s although kopru asked for UTF8", fact(review, SERVER_CLIENT_ENCODING));
        error_hint(&err, "look at the pooler between kopru and the server: "
                         "it must pass client_encoding on");
        review_problem(review, &err);
    }
    if (strcmp(fact(review, SERVER_IN_RECOVERY), "true") == 0) {
        error_set(&err, ERROR_PROBLEMS, "read-only server", "server", "it is a standby");
        error_hint(&err, "name all hosts and target_session_attrs=read-write in postgres.conninfo");
        review_problem(review, &err);
    }
}

/* Warns of settings that weaken the promise that an acknowledged message is committed. */
static void check_durability(struct review *review)
{
    bool has_sync_standby = fact(review, SERVER_STANDBY_NAMES)[0] != '\0';
    struct error err;

    if (strcmp(fact(review, SERVER_FSYNC), "off") == 0) {
        error_set(&err, ERROR_PROBLEMS, "commits may be lost", "fsync",
                  "it is off: a crash of the machine loses acknowledged messages");
        error_hint(&err, "set fsync = on");
        review_warning(review, &err);
    }
    if (!has_sync_standby && strcmp(fact(review, SERVER_REPLICATION_CLIENTS), "0") != 0) {
        error_set(&err, ERROR_PROBLEMS, "commits may be lost", "synchronous_standby_names",
                  "it is empty, but %s replication clients follow the server: "
                  "a failover to one of them may lose acknowledged messages",
                  fact(review, SERVER_REPLICATION_CLIENTS));
        error_hint(&err, "name a synchronous standby, if one of them is meant to take over");
        review_warning(review, &err);
    }
    if (has_sync_standby && strcmp(fact(review, SERVER_SYNCHRONOUS_COMMIT), "local") == 0) {
        error_set(&err, ERROR_PROBLEMS, "commits may be lost", "synchronous_commit",
                  "it is local: commits do not wait for the synchronous standby, "
                  "a failover may lose acknowledged messages");
        error_hint(&err, "set synchronous_commit = on for user %s", fact(review, SERVER_USER));
        review_warning(review, &err);
    }
}

/* Returns the name of the row with that number, or NULL. */
static const char *name_applied_as(const struct catalog *catalog, int number)
{
    const char *name;
    int version;

    for (size_t n = 0; (name = catalog_applied(catalog, n, &version)) != NULL; n++)
        if (version == number)
            return name;
    return NULL;
}

/* A site that gives its own change the next number looks complete when kopru comes to that
   number. */
static void report_migration(struct review *review, const char *migration, int number)
{
    const char *name = name_applied_as(review->catalog, number);
    struct error err;

    if (name == NULL) {
        error_set(&err, ERROR_CONFIG, "missing migration", migration,
                  "kopru.schema_version has no row %d", number);
        error_hint(&err, "run " REVIEW_APPLY);
    } else {
        error_set(&err, ERROR_CONFIG, "missing migration", migration,
                  "row %d of kopru.schema_version is \"%.*s\", which is not kopru's", number,
                  UTF8_CUT_ARG(name, 100));
        error_hint(
            &err, "a change of the site took the number: give it back as migrations/README.md says "
                  "(Changes of the site), then run " REVIEW_APPLY);
    }
    review_problem(review, &err);
}

static void warn_of_unknown_migrations(struct review *review, size_t known)
{
    const char *name;
    int version;

    for (size_t n = 0; (name = catalog_applied(review->catalog, n, &version)) != NULL; n++) {
        struct error err;

        if (version >= 1 && (size_t)version <= known)
            continue;
        error_set(&err, ERROR_PROBLEMS, "unknown migration", name,
                  "row %d of kopru.schema_version is not of this kopru", version);
        error_hint(&err, "if a newer kopru brought it, nothing is wrong; a change of the site must "
                         "not be there (migrations/README.md, Changes of the site)");
        review_warning(review, &err);
    }
}

static void check_migrations(struct review *review, const char *version)
{
    size_t count;
    const char *const *migrations = catalog_migrations(&count);
    const char *migration;
    const char *release;
    struct error err;

    if (!catalog_knows_versions(review->catalog))
        return; /* review_own_tables() says why */
    for (size_t i = 0; i < count; i++) {
        if (!catalog_is_applied(review->catalog, migrations[i]))
            report_migration(review, migrations[i], (int)i + 1);
    }
    warn_of_unknown_migrations(review, count);
    if (catalog_newest_demand(review->catalog, &migration, &release) &&
        catalog_compare_versions(version, release) < 0) {
        error_set(&err, ERROR_CONFIG, "the schema is newer than this kopru", migration,
                  "it needs kopru %s, this is %s", release, version);
        error_hint(&err, "install kopru %s or newer", release);
        review_problem(review, &err);
    }
}

/* Returns false if there is no schema; nothing else needs to be reported then. */
static bool check_schema(struct review *review)
{
    const char *schema = fact(review, SERVER_SCHEMA);
    struct error err;

    if (schema[0] == '\0') {
        error_set(&err, ERROR_CONFIG, "missing schema", ENTITY_SCHEMA,
                  "database %s does not have it", fact(review, SERVER_DATABASE));
        error_hint(&err, "install it in two steps: psql -f sql/roles.sql, then " REVIEW_APPLY
                         "; migrations/README.md says more");
        review_problem(review, &err);
        return false;
    }
    if (strcmp(schema, "usage") != 0) {
        const char *user = fact(review, SERVER_USER);

        error_set(&err, ERROR_PERMISSION, "missing privilege", ENTITY_SCHEMA,
                  "user %s lacks USAGE on the schema", user);
        error_hint(
            &err,
            "migration 06-grants gives it to kopru_writer (migrations/deploy/06-grants.sql); "
            "run, as a superuser: GRANT kopru_writer TO %s; or, if it is a member already, "
            "as kopru_owner: GRANT USAGE ON SCHEMA kopru TO kopru_writer",
            user);
        review_problem(review, &err);
    }
    return true;
}

int catalog_check_server(const struct catalog *catalog, const char *version,
                         const struct catalog_report *report)
{
    struct review review = { .catalog = catalog, .report = report };

    check_server(&review);
    check_durability(&review);
    if (!check_schema(&review))
        return -1;
    check_migrations(&review, version);
    review_own_tables(&review);
    return review.result;
}
