#include "pg/statements.h"

#include "pg/array.h"
#include "pg/binary.h"

/*
 * A statement takes whole columns as arrays and unnests them into rows. So its text depends on the
 * tables alone and never on the number of rows: it is prepared once a connection, a DBA finds one
 * line for it in pg_stat_statements, and a batch of any size stays below the 65,535 parameters that
 * the protocol allows.
 *
 * Every row is found by its key. PG_SETTINGS forbids the planner to do otherwise.
 */

enum { STATEMENT_MAX_BYTES = 1 << 20 };

/* A statement under construction: its text, and the type of each parameter it takes. */
struct draft {
    struct buffer sql;
    Oid types[1700]; /* one per column: PostgreSQL allows 1,600 */
    int count;
};

/* "$3::text[]", the next parameter. */
static void add_array(struct draft *draft, const struct pg_type *type)
{
    draft->types[draft->count++] = type->array;
    buffer_append_format(&draft->sql, "%s$%d::%s", draft->count > 1 ? ", " : "", draft->count,
                         type->array_name);
}

/* "a, b, c" of the columns [from, to), each with the prefix. */
static void add_columns(struct draft *draft, const struct table *table, size_t from, size_t to,
                        const char *prefix)
{
    for (size_t i = from; i < to; i++)
        buffer_append_format(&draft->sql, "%s%s%s", i > from ? ", " : "", prefix,
                             table->columns[i].name);
}

static void add_arrays(struct draft *draft, const struct table *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_array(draft, pg_type_of(table->columns[i].type));
}

static void add_selected(struct draft *draft, const struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        buffer_append_format(&draft->sql, "%s%s%s", i > 0 ? ", " : "", table->columns[i].name,
                             pg_type_of(table->columns[i].type)->read_cast);
}

static void add_excluded(struct draft *draft, const struct table *table)
{
    for (size_t i = table->key_count; i < table->column_count; i++)
        buffer_append_format(&draft->sql, "%s%s = excluded.%s", i > table->key_count ? ", " : "",
                             table->columns[i].name, table->columns[i].name);
}

/* Copies the draft into the arena and starts it anew. Returns 0, or -1 when there is no memory. */
static int finish(struct draft *draft, struct arena *arena, const char *verb,
                  const struct table *table, struct pg_statement *out)
{
    struct buffer name;
    Oid *types = arena_alloc_array(arena, (size_t)draft->count, sizeof(*types));

    buffer_init(&name, STATEMENT_MAX_BYTES);
    buffer_append_format(&name, "kopru_%s_%s", verb, table->name);
    out->name = arena_copy(arena, name.data, name.len);
    out->sql = arena_copy(arena, draft->sql.data, draft->sql.len);
    out->param_count = draft->count;
    out->param_types = types;
    if (buffer_failed(&name))
        out->name = NULL;
    buffer_release(&name);
    if (types == NULL || out->name == NULL || out->sql == NULL || buffer_failed(&draft->sql))
        return -1;
    memcpy(types, draft->types, (size_t)draft->count * sizeof(*types));
    buffer_clear(&draft->sql);
    draft->count = 0;
    return 0;
}

static int make_find(struct draft *draft, struct pg_statements *statements)
{
    const struct table *table = &statements->entity->root;

    buffer_append_text(&draft->sql,
                       "SELECT i.ordinal::integer,"
                       " coalesce(t.payload_hash = i.hash"
                       " AND (i.source_time IS NULL OR i.source_time <= t.source_time), false)\n"
                       "FROM unnest(");
    add_array(draft, pg_type_of(VALUE_TEXT));
    add_array(draft, &PG_TYPE_BYTEA);
    add_array(draft, pg_type_of(VALUE_TIMESTAMPTZ));
    buffer_append_format(&draft->sql,
                         ") WITH ORDINALITY AS i(id, hash, source_time, ordinal)\n"
                         "JOIN kopru.%s AS t ON t.%s = i.id",
                         table->name, table->columns[0].name);
    return finish(draft, &statements->arena, "find", table, &statements->find);
}

/* Ordered by bytes as the batches are, so that whoever locks several rows locks them in one order.
 */
static int make_load(struct draft *draft, struct pg_statements *statements)
{
    const struct table *table = &statements->entity->root;

    buffer_append_text(&draft->sql, "SELECT ");
    add_selected(draft, table);
    buffer_append_format(&draft->sql,
                         ", payload_hash, source_time, updated_at\n"
                         "FROM kopru.%s\n"
                         "WHERE %s = ANY (",
                         table->name, table->columns[0].name);
    add_array(draft, pg_type_of(VALUE_TEXT));
    buffer_append_format(&draft->sql,
                         ")\n"
                         "ORDER BY %s COLLATE \"C\" FOR NO KEY UPDATE",
                         table->columns[0].name);
    return finish(draft, &statements->arena, "load", table, &statements->load);
}

/* xmax is 0 in a row that was inserted, and not in one that was there and was locked. */
static int make_write(struct draft *draft, struct pg_statements *statements)
{
    const struct table *table = &statements->entity->root;

    buffer_append_format(&draft->sql, "INSERT INTO kopru.%s AS t (", table->name);
    add_columns(draft, table, 0, table->column_count, "");
    buffer_append_text(&draft->sql, ", payload_hash, source_time, created_at, updated_at)\n"
                                    "SELECT ");
    add_columns(draft, table, 0, table->column_count, "i.");
    buffer_append_text(&draft->sql, ", i.payload_hash, i.source_time, now(),"
                                    " CASE WHEN i.touched THEN greatest(now(), i.updated_at)"
                                    " ELSE i.updated_at END\n"
                                    "FROM unnest(");
    add_arrays(draft, table, table->column_count);
    add_array(draft, &PG_TYPE_BYTEA);
    add_array(draft, pg_type_of(VALUE_TIMESTAMPTZ));
    add_array(draft, pg_type_of(VALUE_TIMESTAMPTZ));
    add_array(draft, pg_type_of(VALUE_BOOLEAN));
    buffer_append_text(&draft->sql, ")\n"
                                    "  AS i(");
    add_columns(draft, table, 0, table->column_count, "");
    buffer_append_format(&draft->sql,
                         ", payload_hash, source_time, updated_at, touched)\n"
                         "ON CONFLICT (%s) DO UPDATE SET ",
                         table->columns[0].name);
    add_excluded(draft, table);
    buffer_append_text(&draft->sql, ", payload_hash = excluded.payload_hash,"
                                    " source_time = excluded.source_time,"
                                    " updated_at = excluded.updated_at\n"
                                    "RETURNING t.xmax = 0");
    return finish(draft, &statements->arena, "write", table, &statements->write);
}

static int make_child_load(struct draft *draft, struct arena *arena, const struct table *table,
                           struct pg_statement *out)
{
    buffer_append_text(&draft->sql, "SELECT ");
    add_selected(draft, table);
    buffer_append_format(&draft->sql,
                         "\n"
                         "FROM kopru.%s\n"
                         "WHERE %s = ANY (",
                         table->name, table->columns[0].name);
    add_array(draft, pg_type_of(VALUE_TEXT));
    buffer_append_text(&draft->sql, ")");
    return finish(draft, arena, "load", table, out);
}

static int make_child_remove(struct draft *draft, struct arena *arena, const struct table *table,
                             struct pg_statement *out)
{
    buffer_append_format(&draft->sql,
                         "DELETE FROM kopru.%s AS t\n"
                         "USING unnest(",
                         table->name);
    add_arrays(draft, table, table->key_count);
    buffer_append_text(&draft->sql, ")\n"
                                    "  AS i(");
    add_columns(draft, table, 0, table->key_count, "");
    buffer_append_text(&draft->sql, ")\n"
                                    "WHERE (");
    add_columns(draft, table, 0, table->key_count, "t.");
    buffer_append_text(&draft->sql, ") = (");
    add_columns(draft, table, 0, table->key_count, "i.");
    buffer_append_text(&draft->sql, ")");
    return finish(draft, arena, "remove", table, out);
}

static int make_child_write(struct draft *draft, struct arena *arena, const struct table *table,
                            struct pg_statement *out)
{
    buffer_append_format(&draft->sql, "INSERT INTO kopru.%s (", table->name);
    add_columns(draft, table, 0, table->column_count, "");
    buffer_append_text(&draft->sql, ")\n"
                                    "SELECT ");
    add_columns(draft, table, 0, table->column_count, "i.");
    buffer_append_text(&draft->sql, "\n"
                                    "FROM unnest(");
    add_arrays(draft, table, table->column_count);
    buffer_append_text(&draft->sql, ")\n"
                                    "  AS i(");
    add_columns(draft, table, 0, table->column_count, "");
    buffer_append_text(&draft->sql, ")\n"
                                    "ON CONFLICT (");
    add_columns(draft, table, 0, table->key_count, "");
    buffer_append_text(&draft->sql, ") DO UPDATE SET ");
    add_excluded(draft, table);
    return finish(draft, arena, "write", table, out);
}

static int make_child_copy(struct draft *draft, struct arena *arena, const struct table *table,
                           struct pg_statement *out)
{
    buffer_append_format(&draft->sql, "COPY kopru.%s (", table->name);
    add_columns(draft, table, 0, table->column_count, "");
    buffer_append_text(&draft->sql, ") FROM STDIN (FORMAT binary)");
    return finish(draft, arena, "copy", table, out);
}

static int make_children(struct draft *draft, struct pg_statements *statements)
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

        if (make_child_load(draft, arena, table, &child->load) != 0 ||
            make_child_remove(draft, arena, table, &child->remove) != 0 ||
            make_child_write(draft, arena, table, &child->write) != 0 ||
            make_child_copy(draft, arena, table, &child->copy) != 0)
            return -1;
    }
    return 0;
}

int pg_statements_init(struct pg_statements *statements, const struct entity *entity)
{
    struct draft draft = { .count = 0 };
    int result;

    *statements = (struct pg_statements){ .entity = entity };
    arena_init(&statements->arena, 16 * (size_t)STATEMENT_MAX_BYTES);
    buffer_init(&draft.sql, STATEMENT_MAX_BYTES);
    result = make_find(&draft, statements) == 0 && make_load(&draft, statements) == 0 &&
                     make_write(&draft, statements) == 0 && make_children(&draft, statements) == 0
                 ? 0
                 : -1;
    buffer_release(&draft.sql);
    return result;
}

void pg_statements_release(struct pg_statements *statements)
{
    arena_release(&statements->arena);
}
