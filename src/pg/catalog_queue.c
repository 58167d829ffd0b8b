#include "pg/catalog_queue.h"

#include "base/utf8.h"
#include "pg/binary.h"
#include "pg/catalog_snapshot.h"
#include "pg/question.h"

#include <string.h>

enum { ENTITY, ROOT_TABLE, SINCE, LAST_MESSAGE, DOUBT };

/* A name at the broker has at most 255 bytes, and each of them may become two. */
enum { LITERAL_MAX_BYTES = 2 * 255 + 3 };

static const struct pg_statement REVIEW = {
    .sql = "SELECT " CATALOG_QUEUE_COLUMNS " FROM kopru.queues WHERE queue = $1",
    .param_count = 1,
    .param_types = (const Oid[]){ TEXT_OID },
};

/* Writes text as SQL writes it: 'it''s'. */
static const char *literal(const char *text, char *out)
{
    size_t used = 0;

    out[used++] = '\'';
    for (; *text != '\0' && used < LITERAL_MAX_BYTES - 3; text++) {
        if (*text == '\'')
            out[used++] = '\'';
        out[used++] = *text;
    }
    out[used++] = '\'';
    out[used] = '\0';
    return out;
}

/* Null: a row that was written by hand, or an entity that a person has just changed. */
static bool is_same(const char *recorded, const char *configured)
{
    return recorded[0] == '\0' || strcmp(recorded, configured) == 0;
}

int catalog_queue_check_entity(const PGresult *row, int first, const char *queue,
                               const struct entity *entity, struct error *err)
{
    const char *carried = PQgetvalue(row, 0, first + ENTITY);
    const char *table = PQgetvalue(row, 0, first + ROOT_TABLE);
    const char *last = PQgetvalue(row, 0, first + LAST_MESSAGE);
    char name[LITERAL_MAX_BYTES];

    if (strcmp(carried, entity->name) == 0 && is_same(table, entity->root.name))
        return 0;
    error_set(err, ERROR_CONFIG, "the queue carries another entity", queue,
              "by kopru.queues it has carried %.*s (table %.*s) since %s UTC (last message %s%s), "
              "but the configuration gives it to %.*s (table %s)",
              UTF8_CUT_ARG(carried, 100), UTF8_CUT_ARG(table[0] != '\0' ? table : "unknown", 63),
              PQgetvalue(row, 0, first + SINCE), last[0] != '\0' ? last : "never",
              last[0] != '\0' ? " UTC" : "", UTF8_CUT_ARG(entity->name, 100), entity->root.name);
    error_hint(
        err,
        "if entities were exchanged, correct the configuration; if the change is meant, run, "
        "as kopru_owner: UPDATE kopru.queues SET entity = '%s', root_table = '%s', "
        "entity_since = now() WHERE queue = %s",
        entity->name, entity->root.name, literal(queue, name));
    return 1;
}

static void warn_of_doubt(const char *queue, const char *entity, const char *doubt,
                          const struct catalog_report *report)
{
    struct error err;

    error_set(&err, ERROR_PROBLEMS, "the mapping may not fit the messages", queue, "%s", doubt);
    error_hint(&err,
               "compare a message with the paths of the entity file (kopru map --entity %s FILE); "
               "remove the line of a property that is never sent",
               entity);
    if (report->warnings != NULL)
        error_list_add(report->warnings, &err);
}

static bool may_read(const struct catalog *catalog)
{
    static const char *const columns[] = { "queue",        "entity",          "root_table",
                                           "entity_since", "last_message_at", "mapping_doubt" };
    struct catalog_table table;
    struct catalog_column column;

    if (strcmp(catalog_server_fact(catalog, SERVER_SCHEMA), "usage") != 0 ||
        !catalog_find_table(catalog, "queues", &table) || strchr(table.privileges, 'S') == NULL)
        return false;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        if (!catalog_find_column(catalog, "queues", columns[i], &column))
            return false;
    return true;
}

int catalog_queue_review(struct pg_conn *conn, const struct catalog *catalog, const char *queue,
                         const struct entity *entity, const struct catalog_report *report,
                         struct pg_failure *failure)
{
    struct error err;
    PGresult *row;

    if (!may_read(catalog))
        return 0;
    row = pg_question_ask(conn, &REVIEW, &queue, failure);
    if (row == NULL)
        return -1;
    if (PQntuples(row) == 1) {
        const char *doubt = PQgetvalue(row, 0, DOUBT);

        if (catalog_queue_check_entity(row, 0, queue, entity, &err) != 0)
            error_list_add(report->problems, &err);
        else if (doubt[0] != '\0')
            warn_of_doubt(queue, entity->name, doubt, report);
    }
    PQclear(row);
    return 0;
}
