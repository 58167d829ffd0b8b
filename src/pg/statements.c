#include "pg/statements.h"

#include "pg/array.h"
#include "pg/binary.h"
#include "pg/sql_draft.h"

/*
 * A statement takes whole columns as arrays and unnests them into rows. So its text depends on the
 * tables alone and never on the number of rows: it is prepared once a connection, a DBA finds one
 * line for it in pg_stat_statements, and a batch of any size stays below the 65,535 parameters that
 * the protocol allows.
 *
 * Every row is found by its key. PG_SETTINGS forbids the planner to do otherwise.
 */

enum { ALL_MAX_BYTES = 16 * SQL_DRAFT_MAX_BYTES };

static int make_find(struct sql_draft *draft, struct pg_statements *statements)
{
    const struct table *table = &statements->entity->root;

    buffer_append_text(&draft->sql,
                       "SELECT i.ordinal::integer,"
                       " coalesce(t.payload_hash = i.hash"
                       " AND (i.source_time IS NULL OR i.source_time <= t.source_time), false)\n"
                       "FROM unnest(");
    sql_draft_array(draft, pg_type_of(VALUE_TEXT));
    sql_draft_array(draft, &PG_TYPE_BYTEA);
    sql_draft_array(draft, pg_type_of(VALUE_TIMESTAMPTZ));
    buffer_append_format(&draft->sql,
                         ") WITH ORDINALITY AS i(id, hash, source_time, ordinal)\n"
                         "JOIN kopru.%s AS t ON t.%s = i.id",
                         table->name, table->columns[0].name);
    return sql_draft_finish(draft, &statements->arena, "find", table, &statements->find);
}

/* Of a partitioned table a join looks into one partition for each key, where "= ANY ($1)" looks
   into all of them for each. On a plain table the join costs more, so each kind has a form. */
static void add_keyed_rows(struct sql_draft *draft, const struct table *table, bool partitioned)
{
    const char *key = table->columns[0].name;

    if (partitioned) {
        buffer_append_text(&draft->sql, "FROM unnest(");
        sql_draft_array(draft, pg_type_of(VALUE_TEXT));
        buffer_append_format(&draft->sql,
                             ") AS i(id)\n"
                             "JOIN kopru.%s AS t ON t.%s = i.id",
                             table->name, key);
    } else {
        buffer_append_format(&draft->sql,
                             "FROM kopru.%s AS t\n"
                             "WHERE t.%s = ANY (",
                             table->name, key);
        sql_draft_array(draft, pg_type_of(VALUE_TEXT));
        buffer_append_text(&draft->sql, ")");
    }
}

static int finish_load(struct sql_draft *draft, struct arena *arena, const struct table *table,
                       bool partitioned, struct pg_statement *out)
{
    return sql_draft_finish(draft, arena, partitioned ? "load_partitioned" : "load", table, out);
}

/* Ordered by bytes, as the batches are, so that all sessions lock several rows in the same
   order. */
static int make_load(struct sql_draft *draft, struct arena *arena, const struct table *table,
                     bool partitioned, struct pg_statement *out)
{
    buffer_append_text(&draft->sql, "SELECT ");
    sql_draft_selected(draft, table);
    buffer_append_text(&draft->sql, ", t.payload_hash, t.source_time, t.updated_at\n");
    add_keyed_rows(draft, table, partitioned);
    buffer_append_format(&draft->sql,
                         "\n"
                         "ORDER BY t.%s COLLATE \"C\" FOR NO KEY UPDATE OF t",
                         table->columns[0].name);
    return finish_load(draft, arena, table, partitioned, out);
}

/*
 * Roots that are not stored go by one statement and those that are by another, so that the rows
 * that come back tell all that there is to know, without a system column, which a partitioned table
 * does not give:
 *
 * - A new root that meets a stored one was inserted by another session meanwhile, or a trigger gave
 *   it that key. DO NOTHING waits for a session that is about to insert the same key, then returns
 *   no row: one row is missing, and the transaction is rolled back and tried again.
 * - A root that was found is locked by `load`, so nobody can delete it or change its key, and DO
 *   UPDATE meets it. Only something of the site's can turn it aside, such as a trigger that
 *   rewrites the key that is proposed; then another key comes back.
 *
 * No column tells new from known, because a trigger of the site may set any of them. And an UPDATE
 * would not do for the second kind: what stands in the way of every INSERT, such as a missing
 * partition or a BEFORE INSERT trigger, would not stand in the way of a stored row, which could no
 * longer witness it (store_witness.c).
 */
static void add_root_columns(struct sql_draft *draft, const struct table *table)
{
    buffer_append_format(&draft->sql, "INSERT INTO kopru.%s (", table->name);
    sql_draft_columns(draft, table, 0, table->column_count, "");
    buffer_append_text(&draft->sql, ", payload_hash, source_time, created_at, updated_at)\n"
                                    "SELECT ");
    sql_draft_columns(draft, table, 0, table->column_count, "i.");
    buffer_append_text(&draft->sql, ", i.payload_hash, i.source_time, now(),");
}

static void add_root_arrays(struct sql_draft *draft, const struct table *table)
{
    buffer_append_text(&draft->sql, "\n"
                                    "FROM unnest(");
    sql_draft_arrays(draft, table, table->column_count);
    sql_draft_array(draft, &PG_TYPE_BYTEA);
    sql_draft_array(draft, pg_type_of(VALUE_TIMESTAMPTZ));
}

static int make_insert(struct sql_draft *draft, struct pg_statements *statements)
{
    const struct table *table = &statements->entity->root;

    add_root_columns(draft, table);
    buffer_append_text(&draft->sql, " now()");
    add_root_arrays(draft, table);
    buffer_append_text(&draft->sql, ")\n"
                                    "  AS i(");
    sql_draft_columns(draft, table, 0, table->column_count, "");
    buffer_append_format(&draft->sql,
                         ", payload_hash, source_time)\n"
                         "ON CONFLICT (%s) DO NOTHING\n"
                         "RETURNING ",
                         table->columns[0].name);
    sql_draft_key(draft, table);
    statements->insert.writes = table->name;
    return sql_draft_finish(draft, &statements->arena, "insert", table, &statements->insert);
}

static int make_write(struct sql_draft *draft, struct pg_statements *statements)
{
    const struct table *table = &statements->entity->root;

    add_root_columns(draft, table);
    buffer_append_text(&draft->sql, " CASE WHEN i.touched THEN greatest(now(), i.updated_at)"
                                    " ELSE i.updated_at END");
    add_root_arrays(draft, table);
    sql_draft_array(draft, pg_type_of(VALUE_TIMESTAMPTZ));
    sql_draft_array(draft, pg_type_of(VALUE_BOOLEAN));
    buffer_append_text(&draft->sql, ")\n"
                                    "  AS i(");
    sql_draft_columns(draft, table, 0, table->column_count, "");
    buffer_append_format(&draft->sql,
                         ", payload_hash, source_time, updated_at, touched)\n"
                         "ON CONFLICT (%s) DO UPDATE SET ",
                         table->columns[0].name);
    sql_draft_excluded(draft, table);
    buffer_append_text(&draft->sql, ", payload_hash = excluded.payload_hash,"
                                    " source_time = excluded.source_time,"
                                    " updated_at = excluded.updated_at\n"
                                    "RETURNING ");
    sql_draft_key(draft, table);
    statements->write.writes = table->name;
    return sql_draft_finish(draft, &statements->arena, "write", table, &statements->write);
}

/* Asked by every transaction, so it reads no more than it must. A plan that names a table by a
   constant of type regclass is made again when the table is: PostgreSQL notes what it depends on.

   Plain tables are asked in a form that takes half the time. It counts a partitioned one as
   something of the site's, once, since the next transaction asks in the other form: there, a
   partition counts with its own triggers, to which PostgreSQL has copied those of the table, and
   one that is no plain table, being partitioned again or foreign, counts itself. */
#define HAS_TRIGGER(alias)                                                                         \
    "EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = " alias ".oid"                          \
    " AND NOT t.tgisinternal AND t.tgenabled <> 'D')"
#define IS_FOREIGN "c.relhasrules OR c.relrowsecurity OR " HAS_TRIGGER("c")
#define HAS_FOREIGN_PARTITION                                                                      \
    "EXISTS (SELECT FROM pg_inherits AS h JOIN pg_class AS p ON p.oid = h.inhrelid"                \
    " WHERE h.inhparent = c.oid AND (p.relkind <> 'r' OR " HAS_TRIGGER("p") "))"

static int make_foreign(struct sql_draft *draft, struct pg_statements *statements, bool partitioned)
{
    const struct entity *entity = statements->entity;

    buffer_append_format(&draft->sql,
                         "SELECT c.relkind = 'p', %s\n"
                         "FROM pg_class AS c WHERE c.oid IN ('" ENTITY_SCHEMA ".%s'::regclass",
                         partitioned ? "c.relkind NOT IN ('r', 'p') OR " IS_FOREIGN
                                       " OR c.relkind = 'p' AND " HAS_FOREIGN_PARTITION
                                     : "true",
                         entity->root.name);
    for (size_t i = 0; i < entity->child_count; i++)
        buffer_append_format(&draft->sql, ", '" ENTITY_SCHEMA ".%s'::regclass",
                             entity->children[i].table.name);
    buffer_append_text(&draft->sql, ") AND (c.relkind <> 'r' OR " IS_FOREIGN ")");
    return sql_draft_finish(draft, &statements->arena,
                            partitioned ? "foreign_partitioned" : "foreign", &entity->root,
                            partitioned ? &statements->foreign_partitioned : &statements->foreign);
}

/* Of the root table, or of a child table, whose key begins with the root's. None, if the condition
   of a trigger of the site, be it on one partition, asks what a row was before an update: it may
   meet every message that changes something, and does not meet a row that is written again as it
   is. */
static int make_next(struct sql_draft *draft, struct arena *arena, const struct table *table,
                     struct pg_statement *out)
{
    const char *key = table->columns[0].name;

    buffer_append_format(&draft->sql, "SELECT %s\nFROM kopru.%s\nWHERE %s > ", key, table->name,
                         key);
    sql_draft_scalar(draft, TEXT_OID, "text");
    buffer_append_format(&draft->sql,
                         " AND octet_length(%s) <= %d AND NOT EXISTS (SELECT FROM pg_trigger AS g"
                         " WHERE g.tgrelid IN (SELECT '" ENTITY_SCHEMA ".%s'::regclass"
                         " UNION ALL SELECT relid"
                         " FROM pg_partition_tree('" ENTITY_SCHEMA ".%s'::regclass))"
                         " AND NOT g.tgisinternal AND g.tgenabled <> 'D'"
                         " AND g.tgtype & 16 <> 0" /* TRIGGER_TYPE_UPDATE of pg_trigger.h */
                         " AND pg_get_triggerdef(g.oid) ~ '[( ]old[.]')"
                         "\nORDER BY %s LIMIT 1",
                         key, ENTITY_KEY_MAX_BYTES, table->name, table->name, key);
    return sql_draft_finish(draft, arena, "next", table, out);
}

static int make_child_load(struct sql_draft *draft, struct arena *arena, const struct table *table,
                           bool partitioned, struct pg_statement *out)
{
    buffer_append_text(&draft->sql, "SELECT ");
    sql_draft_selected(draft, table);
    buffer_append_text(&draft->sql, "\n");
    add_keyed_rows(draft, table, partitioned);
    return finish_load(draft, arena, table, partitioned, out);
}

static int make_child_remove(struct sql_draft *draft, struct arena *arena,
                             const struct table *table, struct pg_statement *out)
{
    buffer_append_format(&draft->sql,
                         "DELETE FROM kopru.%s AS t\n"
                         "USING unnest(",
                         table->name);
    sql_draft_arrays(draft, table, table->key_count);
    buffer_append_text(&draft->sql, ")\n"
                                    "  AS i(");
    sql_draft_columns(draft, table, 0, table->key_count, "");
    buffer_append_text(&draft->sql, ")\n"
                                    "WHERE (");
    sql_draft_columns(draft, table, 0, table->key_count, "t.");
    buffer_append_text(&draft->sql, ") = (");
    sql_draft_columns(draft, table, 0, table->key_count, "i.");
    buffer_append_text(&draft->sql, ")\n"
                                    "RETURNING 1");
    out->writes = table->name;
    return sql_draft_finish(draft, arena, "remove", table, out);
}

static int make_child_write(struct sql_draft *draft, struct arena *arena, const struct table *table,
                            struct pg_statement *out)
{
    buffer_append_format(&draft->sql, "INSERT INTO kopru.%s (", table->name);
    sql_draft_columns(draft, table, 0, table->column_count, "");
    buffer_append_text(&draft->sql, ")\n"
                                    "SELECT ");
    sql_draft_columns(draft, table, 0, table->column_count, "i.");
    buffer_append_text(&draft->sql, "\n"
                                    "FROM unnest(");
    sql_draft_arrays(draft, table, table->column_count);
    buffer_append_text(&draft->sql, ")\n"
                                    "  AS i(");
    sql_draft_columns(draft, table, 0, table->column_count, "");
    buffer_append_text(&draft->sql, ")\n"
                                    "ON CONFLICT (");
    sql_draft_columns(draft, table, 0, table->key_count, "");
    buffer_append_text(&draft->sql, ") DO UPDATE SET ");
    sql_draft_excluded(draft, table);
    buffer_append_text(&draft->sql, "\n"
                                    "RETURNING ");
    sql_draft_key(draft, table);
    out->writes = table->name;
    return sql_draft_finish(draft, arena, "write", table, out);
}

static int make_child_seek(struct sql_draft *draft, struct arena *arena, const struct table *table,
                           struct pg_statement *out)
{
    buffer_append_text(&draft->sql, "SELECT count(*)\n"
                                    "FROM unnest(");
    sql_draft_arrays(draft, table, table->key_count);
    buffer_append_text(&draft->sql, ")\n"
                                    "  AS i(");
    sql_draft_columns(draft, table, 0, table->key_count, "");
    buffer_append_format(&draft->sql,
                         ")\n"
                         "JOIN kopru.%s AS t ON (",
                         table->name);
    sql_draft_columns(draft, table, 0, table->key_count, "t.");
    buffer_append_text(&draft->sql, ") = (");
    sql_draft_columns(draft, table, 0, table->key_count, "i.");
    buffer_append_text(&draft->sql, ")");
    return sql_draft_finish(draft, arena, "seek", table, out);
}

static int make_child_copy(struct sql_draft *draft, struct arena *arena, const struct table *table,
                           struct pg_statement *out)
{
    buffer_append_format(&draft->sql, "COPY kopru.%s (", table->name);
    sql_draft_columns(draft, table, 0, table->column_count, "");
    buffer_append_text(&draft->sql, ") FROM STDIN (FORMAT binary)");
    out->writes = table->name;
    return sql_draft_finish(draft, arena, "copy", table, out);
}

static int make_children(struct sql_draft *draft, struct pg_statements *statements)
{
    const struct entity *entity = statements->entity;
    struct arena *arena = &statements->arena;

    statements->children =
        arena_alloc_array(arena, entity->child_count, sizeof(*statements->children));
    if (statements->children == NULL)
        return -1;
    for (size_t i = 0; i < entity->child_count; i++) {
        const struct table *table = &entity->children[i].table;
        struct pg_child_statements *child = &statements->children[i];

        if (make_child_load(draft, arena, table, false, &child->load) != 0 ||
            make_child_load(draft, arena, table, true, &child->load_partitioned) != 0 ||
            make_child_remove(draft, arena, table, &child->remove) != 0 ||
            make_child_write(draft, arena, table, &child->write) != 0 ||
            make_child_seek(draft, arena, table, &child->seek) != 0 ||
            make_child_copy(draft, arena, table, &child->copy) != 0 ||
            make_next(draft, arena, table, &child->next) != 0)
            return -1;
    }
    return 0;
}

static int make_roots(struct sql_draft *draft, struct pg_statements *statements)
{
    const struct table *table = &statements->entity->root;
    struct arena *arena = &statements->arena;

    if (make_find(draft, statements) != 0 ||
        make_load(draft, arena, table, false, &statements->load) != 0 ||
        make_load(draft, arena, table, true, &statements->load_partitioned) != 0 ||
        make_insert(draft, statements) != 0 || make_write(draft, statements) != 0)
        return -1;
    return make_next(draft, arena, table, &statements->next);
}

int pg_statements_init(struct pg_statements *statements, const struct entity *entity)
{
    struct sql_draft draft;
    int result;

    *statements = (struct pg_statements){ .entity = entity };
    arena_init(&statements->arena, ALL_MAX_BYTES);
    sql_draft_init(&draft);
    result = make_roots(&draft, statements) == 0 && make_foreign(&draft, statements, false) == 0 &&
                     make_foreign(&draft, statements, true) == 0 &&
                     make_children(&draft, statements) == 0
                 ? 0
                 : -1;
    sql_draft_release(&draft);
    return result;
}

void pg_statements_release(struct pg_statements *statements)
{
    arena_release(&statements->arena);
}
