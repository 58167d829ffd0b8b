#include "pg/describe.h"

#include "pg/binary.h"
#include "pg/dead_letters.h"
#include "pg/foreign.h"
#include "pg/lease.h"
#include "pg/partition.h"
#include "pg/session_settings.h"
#include "pg/site_key.h"
#include "pg/store_changes.h"
#include "pg/store_find.h"
#include "pg/transaction.h"

#include <stdlib.h>

/*
 * The names of the parameters are written here a second time, apart from the code that fills them,
 * because PostgreSQL knows parameters by number only. `kopru sql` is how a DBA looks at a statement
 * that the server's log shows, and "$4" alone tells nothing.
 */

static const char *const none[] = { NULL };

struct visitor {
    pg_describe_fn *visit;
    void *context;
};

/* Visits a statement whose parameters are the first `columns` of the table, then those named in
   more, which NULL ends. Returns 0, or -1 when there is no memory. */
static int visit_one(const struct visitor *visitor, const struct pg_statement *statement,
                     const char *purpose, const struct table *table, size_t columns,
                     const char *const *more)
{
    const char **names = calloc((size_t)statement->param_count + 1, sizeof(*names));

    if (names == NULL)
        return -1;
    for (size_t i = 0; i < columns; i++)
        names[i] = table->columns[i].name;
    for (size_t i = 0; more[i] != NULL; i++)
        names[columns + i] = more[i];
    visitor->visit(&(struct pg_description){ statement, purpose, table->name, names },
                   visitor->context);
    free(names);
    return 0;
}

/* Both forms of a statement that takes root keys. */
static int visit_loads(const struct visitor *visitor, const struct pg_statement *plain,
                       const struct pg_statement *partitioned, const char *purpose,
                       const struct table *table)
{
    if (visit_one(visitor, plain, purpose, table, 1, none) != 0)
        return -1;
    return visit_one(visitor, partitioned, "the same, where the tables are partitioned", table, 1,
                     none);
}

static int visit_root_changes(const struct visitor *visitor, const struct pg_statements *statements)
{
    static const char *const inserted[ROOT_INSERT_MORE + 1] = { "payload_hash", "source_time",
                                                                NULL };
    static const char *const written[ROOT_WRITE_MORE + 1] = { "payload_hash", "source_time",
                                                              "updated_at", "touched", NULL };
    const struct table *root = &statements->entity->root;

    if (visit_one(visitor, &statements->insert,
                  "insert the roots that are new; skips one that is there by now", root,
                  root->column_count, inserted) != 0)
        return -1;
    return visit_one(visitor, &statements->write, "write the stored roots that differ", root,
                     root->column_count, written);
}

static int visit_child_changes(const struct visitor *visitor,
                               const struct pg_child_statements *child, const struct table *table)
{
    if (visit_one(visitor, &child->remove, "delete the child rows that the payload has no more",
                  table, table->key_count, none) != 0 ||
        visit_one(visitor, &child->write, "write the child rows that are new or differ", table,
                  table->column_count, none) != 0 ||
        visit_one(visitor, &child->copy, "the same, where the roots are new and the rows are many",
                  table, 0, none) != 0 ||
        visit_one(visitor, &child->seek,
                  "count the child rows that are there, where a trigger or rule may drop some",
                  table, table->key_count, none) != 0 ||
        visit_one(visitor, &child->next,
                  "find a root with such rows, which are written again and rolled back: does "
                  "the database refuse every row?",
                  table, 1, none) != 0)
        return -1;
    return 0;
}

int pg_describe_entity(const struct pg_statements *statements, pg_describe_fn *visit, void *context)
{
    static const char *const found[] = { "payload_hash", "source_time", NULL };
    const struct visitor visitor = { visit, context };
    const struct entity *entity = statements->entity;
    const struct table *root = &entity->root;

    if (visit_one(
            &visitor, &statements->find,
            "which of the batch's roots are there, and which payloads are the ones applied last",
            root, 1, found) != 0 ||
        visit_loads(&visitor, &statements->load, &statements->load_partitioned,
                    "lock and read the roots whose payload is another one", root) != 0)
        return -1;
    for (size_t i = 0; i < entity->child_count; i++) {
        const struct pg_child_statements *child = &statements->children[i];

        if (visit_loads(&visitor, &child->load, &child->load_partitioned,
                        "read the child rows of these roots", &entity->children[i].table) != 0)
            return -1;
    }
    if (visit_root_changes(&visitor, statements) != 0)
        return -1;
    for (size_t i = 0; i < entity->child_count; i++)
        if (visit_child_changes(&visitor, &statements->children[i], &entity->children[i].table) !=
            0)
            return -1;
    if (visit_one(&visitor, &statements->foreign,
                  "whether a trigger, rule or policy may have dropped or changed what was written, "
                  "and whether the tables are partitioned",
                  root, 0, none) != 0 ||
        visit_one(&visitor, &statements->foreign_partitioned,
                  "the same, with what is on the partitions", root, 0, none) != 0)
        return -1;
    return visit_one(&visitor, &statements->next,
                     "find a root that is written again and rolled back: does the database refuse "
                     "every row?",
                     root, 1, none);
}

void pg_describe_common(pg_describe_fn *visit, void *context)
{
    static const char *const timeouts[] = { "statement_timeout", "lock_timeout", NULL };
    static const char *const epoch[] = { "queue", "epoch", NULL };
    static const char *const dead_letters[] = { "queue",       "entity",      "entity_id",
                                                "reason",      "detail",      "sqlstate",
                                                "body",        "body_sha256", "content_type",
                                                "message_id",  "properties",  "redelivered",
                                                "occurrences", NULL };
    static const char *const add[] = { "queue", "entity", "root_table", NULL };
    static const char *const entity[] = { "queue", "entity", NULL };
    static const char *const table[] = { "table", NULL };
    static const char *const named[] = { "schema", "table", NULL };
    static const char *const index[] = { "schema", "index", NULL };
    static const char *const milliseconds[] = { "milliseconds", NULL };
    static const char *const sessions[] = { "sessions", NULL };
    static const char *const acquire[] = {
        "queue", "epoch", "holder", "instance", "version", NULL
    };
    static const char *const renew[] = {
        "queue",  "epoch",    "last_message_at", "last_commit_at", "returns",
        "holder", "instance", "state",           "mapping_doubt",  NULL
    };
    const struct pg_description all[] = {
        { &PG_BEGIN, "begin a transaction; a plain COMMIT ends it", NULL, none },
        { &PG_SETTINGS,
          "make the transaction independent of settings of a role, a database or a pooler", NULL,
          timeouts },
        { &PG_CHECK_EPOCH,
          "check that the lease is still held; another instance that acquires it then waits", NULL,
          epoch },
        { &PG_WRITE_DEAD_LETTERS,
          "write the dead letters of the batch, or count them where they are open already", NULL,
          dead_letters },
        { &PG_CHECK_CONSTRAINTS,
          "check deferred constraints before the dead letters are written and the transaction ends",
          NULL, none },
        { &PG_FOREIGN, "name triggers, rules and policies on a table of which rows are missing",
          NULL, table },
        { &PG_PARTITION_OF, "name the table of which the one that refused a row is a partition",
          NULL, named },
        { &PG_INDEX_COLUMNS, "name the columns of a unique key that refused a row", NULL, index },
        { PG_LEASE_STATEMENTS[PG_LEASE_ADD], "give a queue its row, once", NULL, add },
        { PG_LEASE_STATEMENTS[PG_LEASE_READ],
          "read who holds the lease, and the version of the row, which each renewal changes", NULL,
          entity },
        { PG_LEASE_STATEMENTS[PG_LEASE_LOCK_TIMEOUT],
          "wait for a lock no longer than this: the leases on other queues must be renewed", NULL,
          milliseconds },
        { PG_LEASE_STATEMENTS[PG_LEASE_LOCK], "wait for the transactions of the lease's holder",
          NULL, entity },
        { PG_LEASE_STATEMENTS[PG_LEASE_ACQUIRE],
          "acquire the lease, unless another instance was quicker or the holder renewed it", NULL,
          acquire },
        { PG_LEASE_STATEMENTS[PG_LEASE_END_FROZEN],
          "end the sessions of a holder that froze while it sent: those that stood still at the "
          "last look, and do now",
          NULL, sessions },
        { PG_LEASE_STATEMENTS[PG_LEASE_RENEW],
          "renew the lease every second, and say how fresh the queue is", NULL, renew },
        { PG_LEASE_STATEMENTS[PG_LEASE_RELEASE], "release the lease at the end", NULL, renew },
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
        { BOOL_OID, "boolean" },
        { BYTEA_OID, "bytea" },
        { INT8_OID, "bigint" },
        { INT4_OID, "integer" },
        { TEXT_OID, "text" },
        { NUMERIC_OID, "numeric" },
        { DATE_OID, "date" },
        { TIMESTAMPTZ_OID, "timestamptz" },
        { JSONB_OID, "jsonb" },
        { BOOL_ARRAY_OID, "boolean[]" },
        { BYTEA_ARRAY_OID, "bytea[]" },
        { INT4_ARRAY_OID, "integer[]" },
        { TEXT_ARRAY_OID, "text[]" },
        { INT8_ARRAY_OID, "bigint[]" },
        { NUMERIC_ARRAY_OID, "numeric[]" },
        { DATE_ARRAY_OID, "date[]" },
        { TIMESTAMPTZ_ARRAY_OID, "timestamptz[]" },
        { JSONB_ARRAY_OID, "jsonb[]" },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].oid == type)
            return names[i].name;
    return NULL;
}
