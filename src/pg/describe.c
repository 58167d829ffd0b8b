#include "pg/describe.h"

#include "pg/lease.h"

#include <stdlib.h>

/* Names of parameters: the columns of a table, then what follows them. */
struct names {
    const char **items;
    size_t count;
};

static int names_of(struct names *names, const struct table *table, size_t columns, const char *const *more, size_t more_count)
{
    *names = (struct names){ calloc(columns + more_count + 1, sizeof(char *)), columns + more_count };
    if (names->items == NULL)
        return -1;
    for (size_t i = 0; i < columns; i++)
        names->items[i] = table->columns[i].name;
    for (size_t i = 0; i < more_count; i++)
        names->items[columns + i] = more[i];
    return 0;
}

static int describe_root(const struct pg_statements *statements, pg_describe_fn *visit, void *context, bool writes)
{
    static const char *const find_more[] = { "payload_hash", "source_time" };
    static const char *const write_more[ROOT_WRITE_MORE] = { "payload_hash", "source_time", "updated_at", "touched" };
    const struct table *table = &statements->entity->root;
    struct names key;
    struct names found;
    struct names written;

    if (names_of(&key, table, 1, NULL, 0) != 0)
        return -1;
    if (names_of(&found, table, 1, find_more, 2) != 0) {
        free(key.items);
        return -1;
    }
    if (names_of(&written, table, table->column_count, write_more, ROOT_WRITE_MORE) != 0) {
        free(key.items);
        free(found.items);
        return -1;
    }
    if (writes) {
        visit(&(struct pg_description){ &statements->write, "write the roots that are new or differ; tells which of them are new",
                                        table->name, written.items },
              context);
    } else {
        visit(&(struct pg_description){ &statements->find,
                                        "which of the batch's roots are there, and which payloads are the ones applied last",
                                        table->name, found.items },
              context);
        visit(&(struct pg_description){ &statements->load, "lock and read the roots whose payload is another one", table->name,
                                        key.items },
              context);
    }
    free(key.items);
    free(found.items);
    free(written.items);
    return 0;
}

static int visit_child(const struct pg_statement *statement, const char *purpose, const struct table *table, size_t parameters,
                       pg_describe_fn *visit, void *context)
{
    struct names names;

    if (names_of(&names, table, parameters, NULL, 0) != 0)
        return -1;
    visit(&(struct pg_description){ statement, purpose, table->name, names.items }, context);
    free(names.items);
    return 0;
}

int pg_describe_entity(const struct pg_statements *statements, pg_describe_fn *visit, void *context)
{
    const struct entity *entity = statements->entity;

    if (describe_root(statements, visit, context, false) != 0)
        return -1;
    for (size_t i = 0; i < entity->child_count; i++)
        if (visit_child(&statements->children[i].load, "read the child rows of these roots", &entity->children[i].table, 1, visit,
                        context) != 0)
            return -1;
    if (describe_root(statements, visit, context, true) != 0)
        return -1;
    for (size_t i = 0; i < entity->child_count; i++) {
        const struct table *table = &entity->children[i].table;

        if (visit_child(&statements->children[i].remove, "delete the child rows that the payload has no more", table,
                        table->key_count, visit, context) != 0 ||
            visit_child(&statements->children[i].write, "write the child rows that are new or differ", table, table->column_count,
                        visit, context) != 0)
            return -1;
    }
    return 0;
}

void pg_describe_common(pg_describe_fn *visit, void *context)
{
    static const char *const none[] = { NULL };
    static const char *const timeouts[] = { "statement_timeout", "lock_timeout" };
    static const char *const epoch[] = { "queue", "epoch" };
    static const char *const dead_letters[] = { "queue",      "entity",      "entity_id",   "reason",       "detail",
                                                "sqlstate",   "body",        "body_sha256", "content_type", "message_id",
                                                "properties", "redelivered", "occurrences" };
    static const char *const entity[] = { "queue", "entity" };
    static const char *const take[] = { "queue", "epoch", "holder" };
    static const char *const renew[] = { "queue", "epoch", "last_message_at", "last_commit_at", "give_back" };
    const struct pg_description all[] = {
        { &PG_BEGIN, "every transaction begins with this, and ends with a plain COMMIT", NULL, none },
        { &PG_SETTINGS, "nothing in the transaction depends on settings of a role, a database or a pooler", NULL, timeouts },
        { &PG_CHECK_EPOCH, "is the queue still this instance's; a takeover waits for the transaction", NULL, epoch },
        { &PG_WRITE_DEAD_LETTERS, "keep the refused messages of the batch, or count them where they are open already", NULL,
          dead_letters },
        { &PG_CHECK_CONSTRAINTS, "let deferred constraints speak before a probe for the message at fault is rolled back", NULL,
          none },
        { PG_LEASE_STATEMENTS[PG_LEASE_ADD], "give a queue its row, once", NULL, entity },
        { PG_LEASE_STATEMENTS[PG_LEASE_READ], "who holds the queue, and for how long it was silent", NULL, entity },
        { PG_LEASE_STATEMENTS[PG_LEASE_LOCK], "wait for the transactions of the queue's holder", NULL, entity },
        { PG_LEASE_STATEMENTS[PG_LEASE_TAKE], "take the queue over, unless another instance was quicker", NULL, take },
        { PG_LEASE_STATEMENTS[PG_LEASE_RENEW], "say every few seconds that the holder lives, and how fresh the queue is", NULL,
          renew },
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        visit(&all[i], context);
}

const char *pg_type_name(Oid type)
{
    static const struct {
        Oid oid;
        const char *name;
    } names[] = {
        { 16, "boolean" },         { 17, "bytea" },         { 20, "bigint" },    { 23, "integer" },    { 25, "text" },
        { 1082, "date" },          { 1184, "timestamptz" }, { 1700, "numeric" }, { 3802, "jsonb" },    { 1000, "boolean[]" },
        { 1001, "bytea[]" },       { 1007, "integer[]" },   { 1009, "text[]" },  { 1016, "bigint[]" }, { 1182, "date[]" },
        { 1185, "timestamptz[]" }, { 1231, "numeric[]" },   { 3807, "jsonb[]" },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].oid == type)
            return names[i].name;
    return NULL;
}
