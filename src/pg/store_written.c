#include "pg/store_written.h"

#include "pg/binary.h"
#include "pg/dead_letters.h"
#include "pg/store_copy.h"
#include "pg/stored_rows.h"

#include <stdio.h>
#include <string.h>

/*
 * Counting costs next to nothing and finds a row that was swallowed. The keys that come back find a
 * row that went under another key, be it that of a stored row. Neither finds a row that a trigger
 * deleted, or gave another key, after it was counted. Only a lookup finds these. It costs as much
 * as a read of the rows, and only something of the site's can make it necessary, so it is done only
 * where there is such a thing.
 *
 * The values of a row are not compared. A site may mean to change them, as by a trigger that writes
 * all towns in capitals, and a row that was left as it was cannot be told from one that was made
 * the same again. The payload's hash is kopru's own, so it shows whether a root was written.
 */

static const char CARDINALITY_VIOLATION[] = "21000";

static int fail(struct store_transaction *tx, const char *table, const char *sqlstate,
                const char *why)
{
    struct pg_failure *failure = &tx->failure;
    bool dead_letters = strcmp(table, PG_WRITE_DEAD_LETTERS.writes) == 0;
    char subject[sizeof(failure->error.subject)];

    /* Every message can be a dead letter, so no message is to blame when one is swallowed. */
    *failure = (struct pg_failure){ .class = dead_letters ? SQLSTATE_PAUSE : SQLSTATE_RETRY,
                                    .not_written = true };
    snprintf(failure->table, sizeof(failure->table), "%s", table);
    snprintf(failure->sqlstate, sizeof(failure->sqlstate), "%s", sqlstate);
    snprintf(subject, sizeof(subject), ENTITY_SCHEMA ".%s", table);
    return error_set(&failure->error, ERROR_DATA, "the database did not do what it was told",
                     subject, "%s", why);
}

int store_not_written(struct store_transaction *tx, const char *table, const char *verb,
                      size_t sent, size_t done)
{
    char why[128];

    snprintf(why, sizeof(why), "%zu %s to be %s, and %zu %s", sent,
             sent == 1 ? "row was" : "rows were", verb, done, done == 1 ? "was" : "were");
    return fail(tx, table, "", why);
}

void store_written_ask(struct store_transaction *tx)
{
    const struct pg_statements *statements = tx->target->statements;

    pg_pipeline_add_ready(&tx->pipeline,
                          tx->partitioned ? &statements->foreign_partitioned : &statements->foreign,
                          NULL);
}

static bool is_removal(const struct store_transaction *tx, const struct pg_statement *statement)
{
    for (size_t c = 0; c < tx->set.entity->child_count; c++) {
        if (statement == &tx->target->statements->children[c].remove)
            return true;
    }
    return false;
}

static const char *verb_of(const struct store_transaction *tx, const struct pg_statement *statement)
{
    if (statement == &tx->target->statements->insert)
        return "inserted";
    return is_removal(tx, statement) ? "deleted" : "written";
}

static bool asks_for_foreign(const struct store_transaction *tx,
                             const struct pg_statement *statement)
{
    return statement == &tx->target->statements->foreign ||
           statement == &tx->target->statements->foreign_partitioned;
}

static void read_foreign(struct store_transaction *tx, const PGresult *result)
{
    tx->foreign = false;
    tx->partitioned = false;
    for (int row = 0; row < PQntuples(result); row++) {
        tx->foreign = tx->foreign || PQgetvalue(result, row, FOREIGN_IS_THERE)[0] != 0;
        tx->partitioned =
            tx->partitioned || PQgetvalue(result, row, FOREIGN_IS_PARTITIONED)[0] != 0;
    }
}

/* Counts the roots that came back under the keys that were sent, in the order of sending: of those
   that were stored, or of those that were not. */
static size_t same_roots(const struct write_set *set, bool stored, const PGresult *result)
{
    size_t same = 0;
    int row = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct write_set_entity *entity = &set->entities[i];

        if (entity->difference.root && entity->before.exists == stored)
            same += stored_rows_have_key(result, row++, &set->entity->root, entity->after.root);
    }
    return same;
}

static size_t same_rows(const struct store_transaction *tx, size_t child, const PGresult *result)
{
    const struct table *table = &tx->set.entity->children[child].table;
    size_t same = 0;
    int row = 0;

    for (size_t i = 0; i < tx->set.count; i++) {
        const struct write_set_entity *entity = &tx->set.entities[i];
        size_t count = store_copy_has(tx, entity) ? 0 : entity->difference.write_count;

        for (size_t r = 0; r < count; r++) {
            const struct child_row *written = &entity->difference.writes[r];

            if (written->child == child)
                same += stored_rows_have_key(result, row++, table, written->values);
        }
    }
    return same;
}

/* A trigger of the site may have given a row the key of another one, which it then has changed. A
   lookup finds both. */
static int check_keys(struct store_transaction *tx, const struct pg_call *call, size_t sent)
{
    size_t same = sent;

    if (call->statement == &tx->target->statements->insert ||
        call->statement == &tx->target->statements->write)
        same =
            same_roots(&tx->set, call->statement == &tx->target->statements->write, call->result);
    for (size_t c = 0; c < tx->set.entity->child_count; c++) {
        if (call->statement == &tx->target->statements->children[c].write)
            same = same_rows(tx, c, call->result);
    }
    return same == sent ? 0
                        : store_not_written(tx, call->statement->writes,
                                            "written under their own keys", sent, same);
}

/* Whether something of the site's can have changed keys. Where rows are still to be copied, the
   question comes after them. */
static bool keys_may_differ(struct store_transaction *tx)
{
    for (size_t i = 0; i < tx->pipeline.count; i++) {
        const struct pg_call *call = &tx->pipeline.calls[i];

        if (asks_for_foreign(tx, call->statement) && call->result != NULL)
            read_foreign(tx, call->result);
    }
    return tx->foreign || tx->copies;
}

/* A statement has a result if it succeeded. That may have no rows: where a rule of the site has put
   another statement in its place, RETURNING has gone. Of the roots that were to be inserted one is
   missing, too, if another session has inserted it: it may have children that we have not seen. */
int store_written_count(struct store_transaction *tx)
{
    const struct pg_pipeline *pipeline = &tx->pipeline;
    bool keys_too = keys_may_differ(tx);

    for (size_t i = 0; i < pipeline->count; i++) {
        const struct pg_call *call = &pipeline->calls[i];
        size_t sent;

        if (call->result == NULL)
            return 0;
        if (call->statement->writes == NULL)
            continue;
        sent = pipeline->arguments[i].arrays[0].count;
        if ((size_t)PQntuples(call->result) != sent)
            return store_not_written(tx, call->statement->writes, verb_of(tx, call->statement),
                                     sent, (size_t)PQntuples(call->result));
        if (keys_too && check_keys(tx, call, sent) != 0)
            return -1;
    }
    return 0;
}

void store_written_merged(struct store_transaction *tx)
{
    const struct pg_failure *failure = &tx->failure;

    if (failure->statement == NULL || strcmp(failure->sqlstate, CARDINALITY_VIOLATION) != 0)
        return;
    for (size_t i = 0; i < tx->pipeline.count; i++) {
        const struct pg_statement *statement = tx->pipeline.calls[i].statement;

        if (statement->name == failure->statement && statement->writes != NULL) {
            fail(tx, statement->writes, CARDINALITY_VIOLATION,
                 "rows that were sent with different keys got the same one");
            return;
        }
    }
}

/* The lookup. */

static void put_root(struct pg_array *arrays, const struct write_set_entity *entity)
{
    const struct fold_state *after = &entity->after;

    pg_array_bytes(&arrays[0], entity->id);
    pg_array_bytes(&arrays[1], (struct slice){ (const char *)after->hash, DIGEST_BYTES });
    if (after->has_time)
        pg_array_integer(&arrays[2], after->source_time_pg_us);
    else
        pg_array_null(&arrays[2]);
}

/* Asks which of the roots have the payload that was written. */
static int add_roots(struct store_transaction *tx)
{
    struct pg_arguments *arguments =
        pg_pipeline_add(&tx->pipeline, &tx->target->statements->find, 0);

    if (arguments == NULL)
        return store_no_memory(tx);
    for (size_t i = 0; i < tx->set.count; i++) {
        if (tx->set.entities[i].difference.root)
            put_root(arguments->arrays, &tx->set.entities[i]);
    }
    return 0;
}

static void put_keys(struct pg_array *arrays, const struct table *table, size_t child,
                     const struct child_row *rows, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        for (size_t i = 0; rows[r].child == child && i < table->key_count; i++)
            pg_array_value(&arrays[i], &rows[r].values[i]);
    }
}

/* Asks how many of the rows of a child table are there: of those that were deleted, or of those
   that were written. */
static int add_rows(struct store_transaction *tx, size_t child, bool deleted)
{
    const struct table *table = &tx->set.entity->children[child].table;
    struct pg_arguments *arguments =
        pg_pipeline_add(&tx->pipeline, &tx->target->statements->children[child].seek, 0);

    if (arguments == NULL)
        return store_no_memory(tx);
    for (size_t i = 0; i < tx->set.count; i++) {
        const struct fold_difference *difference = &tx->set.entities[i].difference;

        put_keys(arguments->arrays, table, child,
                 deleted ? difference->deletes : difference->writes,
                 deleted ? difference->delete_count : difference->write_count);
    }
    return 0;
}

static int check_roots(struct store_transaction *tx, size_t call)
{
    const PGresult *result = tx->pipeline.calls[call].result;
    size_t sent = tx->pipeline.arguments[call].arrays[0].count;
    size_t there = 0;

    for (int row = 0; row < PQntuples(result); row++)
        there += PQgetvalue(result, row, 1)[0] != 0;
    return there == sent ? 0
                         : store_not_written(tx, tx->set.entity->root.name, "written", sent, there);
}

static int check_rows(struct store_transaction *tx, size_t child, size_t call, bool deleted)
{
    const char *table = tx->set.entity->children[child].table.name;
    size_t sent = tx->pipeline.arguments[call].arrays[0].count;
    size_t there = (size_t)pg_read_i64(PQgetvalue(tx->pipeline.calls[call].result, 0, 0));

    if (deleted)
        return there == 0 ? 0 : store_not_written(tx, table, "deleted", sent, sent - there);
    return there == sent ? 0 : store_not_written(tx, table, "written", sent, there);
}

/* The calls are: the roots, and two for each child table. */
static int look_up(struct store_transaction *tx)
{
    enum { ROOTS, FIRST_CHILD };
    size_t children = tx->set.entity->child_count;
    int result;

    result = add_roots(tx);
    for (size_t c = 0; result == 0 && c < children; c++)
        result = add_rows(tx, c, true) == 0 ? add_rows(tx, c, false) : -1;
    if (result == 0)
        result = store_send(tx);
    if (result == 0)
        result = check_roots(tx, ROOTS);
    for (size_t c = 0; result == 0 && c < children; c++) {
        result = check_rows(tx, c, FIRST_CHILD + 2 * c, true);
        if (result == 0)
            result = check_rows(tx, c, FIRST_CHILD + 2 * c + 1, false);
    }
    pg_pipeline_clear(&tx->pipeline);
    return result;
}

int store_written_verify(struct store_transaction *tx)
{
    return tx->foreign ? look_up(tx) : 0;
}
