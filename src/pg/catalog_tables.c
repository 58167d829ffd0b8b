#include "pg/catalog_tables.h"

#include <stdlib.h>
#include <string.h>

/*
 * The columns of kopru's own tables are written down here a second time, beside the migrations that
 * make them, because this is what the program relies on. A column that a migration adds for people
 * is not asked for, and one that a DBA altered is noticed before a batch fails on it.
 */

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
    { .name = "root_table", .type = "text" },
    { .name = "entity_since", .type = TIMESTAMPTZ, .never_null = true },
    { .name = "epoch", .type = "bigint", .never_null = true },
    { .name = "holder", .type = "text" },
    { .name = "instance", .type = "text" },
    { .name = "state", .type = "text" },
    { .name = "renewed_at", .type = TIMESTAMPTZ },
    { .name = "last_message_at", .type = TIMESTAMPTZ },
    { .name = "last_commit_at", .type = TIMESTAMPTZ },
    { .name = "returns", .type = "bigint" },
    { .name = "mapping_doubt", .type = "text" },
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

void review_own_tables(struct review *review)
{
    for (size_t i = 0; i < COUNT(OWN_TABLES); i++)
        review_table(review, &OWN_TABLES[i]);
}

/* One of the columns that kopru keeps in every root table. */
static struct wanted_column root_column(const char *name)
{
    bool is_own_time = strcmp(name, "created_at") == 0 || strcmp(name, "updated_at") == 0;
    bool is_hash = strcmp(name, "payload_hash") == 0;

    return (struct wanted_column){ .name = name,
                                   .type = is_hash ? "bytea" : TIMESTAMPTZ,
                                   .never_null = is_own_time };
}

/* The columns of the entity file, then, in a root table, those that kopru keeps there. */
static void list_columns(struct wanted_column *columns, const struct table *table, size_t more)
{
    for (size_t i = 0; i < table->column_count; i++)
        columns[i] =
            (struct wanted_column){ .name = table->columns[i].name,
                                    .type = value_type_name(table->columns[i].type),
                                    .never_null = i < table->key_count || i == table->extra };
    for (size_t i = 0; i < more; i++)
        columns[table->column_count + i] = root_column(ENTITY_ROOT_COLUMNS[i]);
}

static void check_entity_table(struct review *review, const struct table *table, bool is_root)
{
    size_t more = is_root ? COUNT(ENTITY_ROOT_COLUMNS) : 0;
    size_t count = table->column_count + more;
    struct wanted_column *columns = calloc(count, sizeof(*columns));
    const char **key = calloc(table->key_count, sizeof(*key));
    struct error err;

    if (columns == NULL || key == NULL) {
        error_no_memory(&err);
        review_problem(review, &err);
        goto done;
    }
    list_columns(columns, table, more);
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
