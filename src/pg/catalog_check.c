#include "pg/catalog_review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_SERVER = 130000 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char TIMESTAMPTZ[] = "timestamp with time zone";

static const struct wanted_column DEAD_LETTER_COLUMNS[] = {
    { .name = "dead_letter_id", .type = "bigint", .never_null = true, .is_never_written = true },
    { .name = "queue", .type = "text", .never_null = true },
    { .name = "entity", .type = "text", .never_null = true },
    { .name = "entity_id", .type = "text" },
    { .name = "reason", .type = "text", .never_null = true },
    { .name = "detail", .type = "text" },
    { .name = "sqlstate", .type = "text" },
    { .name = "body", .type = "bytea", .never_null = true },
    { .name = "body_sha256", .type = "bytea", .never_null = true },
    { .name = "content_type", .type = "text" },
    { .name = "message_id", .type = "text" },
    { .name = "properties", .type = "jsonb", .never_null = true },
    { .name = "redelivered", .type = "boolean", .never_null = true },
    { .name = "occurrences", .type = "bigint", .never_null = true },
    { .name = "first_seen_at", .type = TIMESTAMPTZ, .never_null = true },
    { .name = "last_seen_at", .type = TIMESTAMPTZ, .never_null = true },
    { .name = "status", .type = "text", .never_null = true },
    { .name = "resolved_at", .type = TIMESTAMPTZ },
    { .name = "resolved_by", .type = "text" },
};

static const struct wanted_column QUEUE_COLUMNS[] = {
    { .name = "queue", .type = "text", .never_null = true },
    { .name = "entity", .type = "text", .never_null = true },
    { .name = "epoch", .type = "bigint", .never_null = true },
    { .name = "holder", .type = "text" },
    { .name = "instance", .type = "text" },
    { .name = "state", .type = "text" },
    { .name = "renewed_at", .type = TIMESTAMPTZ },
    { .name = "last_message_at", .type = TIMESTAMPTZ },
    { .name = "last_commit_at", .type = TIMESTAMPTZ },
};

/* Never written by kopru. */
static const struct wanted_column VERSION_COLUMNS[] = {
    { .name = "version", .type = "integer", .never_null = true, .is_never_written = true },
    { .name = "name", .type = "text", .never_null = true, .is_never_written = true },
    { .name = "min_kopru_version", .type = "text", .never_null = true, .is_never_written = true },
    { .name = "applied_at", .type = TIMESTAMPTZ, .never_null = true, .is_never_written = true },
};

/* Dead letters are resolved and never deleted; the predicate is spelt as pg_get_expr() does. */
static const struct wanted_table OWN_TABLES[] = {
    { .name = "schema_version",
      .columns = VERSION_COLUMNS,
      .column_count = COUNT(VERSION_COLUMNS),
      .predicate = "",
      .privileges = "S" },
    { .name = "queues",
      .columns = QUEUE_COLUMNS,
      .column_count = COUNT(QUEUE_COLUMNS),
      .key = (const char *const[]){ "queue" },
      .key_count = 1,
      .predicate = "",
      .privileges = "SIU" },
    { .name = "dead_letters",
      .columns = DEAD_LETTER_COLUMNS,
      .column_count = COUNT(DEAD_LETTER_COLUMNS),
      .key = (const char *const[]){ "queue", "body_sha256" },
      .key_count = 2,
      .predicate = "(status = 'open'::text)",
      .privileges = "SIU" },
};

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
        error_hint(&err, "install into a database made with: CREATE DATABASE ... ENCODING 'UTF8' "
                         "TEMPLATE template0");
        review_problem(review, &err);
    }
    if (strcmp(fact(review, SERVER_CLIENT_ENCODING), "UTF8") != 0) {
        error_set(&err, ERROR_PROBLEMS, "wrong client encoding", "client_encoding",
                  "it is %s although kopru asked for UTF8", fact(review, SERVER_CLIENT_ENCODING));
        error_hint(
            &err,
            "look at the pooler between kopru and the server: it must pass client_encoding on");
        review_problem(review, &err);
    }
    if (strcmp(fact(review, SERVER_IN_RECOVERY), "true") == 0) {
        error_set(&err, ERROR_PROBLEMS, "read-only server", "server", "it is a standby");
        error_hint(&err, "name all hosts and target_session_attrs=read-write in postgres.conninfo");
        review_problem(review, &err);
    }
}

/* What takes away from the promise that acknowledged means committed. */
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
                  "it is empty, but %s replication clients follow the server: a failover to one of "
                  "them may lose acknowledged messages",
                  fact(review, SERVER_REPLICATION_CLIENTS));
        error_hint(&err, "name a synchronous standby, if one of them is meant to take over");
        review_warning(review, &err);
    }
    if (has_sync_standby && strcmp(fact(review, SERVER_SYNCHRONOUS_COMMIT), "local") == 0) {
        error_set(&err, ERROR_PROBLEMS, "commits may be lost", "synchronous_commit",
                  "it is local: commits do not wait for the synchronous standby, a failover may "
                  "lose acknowledged messages");
        error_hint(&err, "set synchronous_commit = on for user %s", fact(review, SERVER_USER));
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
        return; /* why, check_own_tables() says */
    for (size_t i = 0; i < count; i++) {
        if (catalog_is_applied(review->catalog, (int)i + 1))
            continue;
        error_set(&err, ERROR_CONFIG, "missing migration", migrations[i],
                  "kopru.schema_version has no row %zu", i + 1);
        error_hint(&err, "run " REVIEW_APPLY);
        review_problem(review, &err);
    }
    if (catalog_newest_demand(review->catalog, &migration, &release) &&
        catalog_compare_versions(version, release) < 0) {
        error_set(&err, ERROR_CONFIG, "the schema is newer than this kopru", migration,
                  "it needs kopru %s, this is %s", release, version);
        error_hint(&err, "install kopru %s or newer", release);
        review_problem(review, &err);
    }
}

/* Returns false if there is no schema: then nothing else is worth a word. */
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
        error_hint(&err,
                   "migration 06-grants gives it to kopru_writer "
                   "(migrations/deploy/06-grants.sql); run, as a superuser: GRANT "
                   "kopru_writer TO %s; or, if it is a member already, as kopru_owner: GRANT USAGE "
                   "ON SCHEMA kopru TO "
                   "kopru_writer",
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
    for (size_t i = 0; i < COUNT(OWN_TABLES); i++)
        review_table(&review, &OWN_TABLES[i]);
    return review.result;
}

/* The columns of the entity file, and those that kopru keeps in every root table. */
static void check_entity_table(struct review *review, const struct table *table, bool is_root)
{
    size_t more = is_root ? sizeof(ENTITY_ROOT_COLUMNS) / sizeof(ENTITY_ROOT_COLUMNS[0]) : 0;
    size_t count = table->column_count + more;
    struct wanted_column *columns = calloc(count, sizeof(*columns));
    const char **key = calloc(table->key_count, sizeof(*key));

    if (columns == NULL || key == NULL) {
        struct error err;

        error_no_memory(&err);
        review_problem(review, &err);
        goto done;
    }
    for (size_t i = 0; i < table->column_count; i++)
        columns[i] =
            (struct wanted_column){ .name = table->columns[i].name,
                                    .type = value_type_name(table->columns[i].type),
                                    .never_null = i < table->key_count || i == table->extra };
    for (size_t i = 0; i < more; i++) {
        const char *name = ENTITY_ROOT_COLUMNS[i];
        bool is_own_time = strcmp(name, "created_at") == 0 || strcmp(name, "updated_at") == 0;

        columns[table->column_count + i] =
            (struct wanted_column){ .name = name,
                                    .type = strcmp(name, "payload_hash") == 0
                                                ? "bytea"
                                                : value_type_name(VALUE_TIMESTAMPTZ),
                                    .never_null = is_own_time };
    }
    for (size_t i = 0; i < table->key_count; i++)
        key[i] = table->columns[i].name;
    review_table(review, &(struct wanted_table){ .name = table->name,
                                                 .columns = columns,
                                                 .column_count = count,
                                                 .key = key,
                                                 .key_count = table->key_count,
                                                 .predicate = "",
                                                 .privileges = is_root ? "SIU" : "SIUD" });
done:
    free(columns);
    free(key);
}

int catalog_check_entity(const struct catalog *catalog, const struct entity *entity,
                         const struct catalog_report *report)
{
    struct review review = { .catalog = catalog, .report = report };

    if (catalog_server_fact(catalog, SERVER_SCHEMA)[0] == '\0')
        return -1;
    check_entity_table(&review, &entity->root, true);
    for (size_t i = 0; i < entity->child_count; i++)
        check_entity_table(&review, &entity->children[i].table, false);
    return review.result;
}
