#include "pg/sql_draft.h"

#include <string.h>

/*
 * A parameter's number and its type are added in one call, because they must agree and the server
 * would notice a difference only when the statement is prepared. Names need no quotes: an entity
 * file may only use names that PostgreSQL takes without.
 */

void sql_draft_init(struct sql_draft *draft)
{
    draft->count = 0;
    buffer_init(&draft->sql, SQL_DRAFT_MAX_BYTES);
}

void sql_draft_release(struct sql_draft *draft)
{
    buffer_release(&draft->sql);
}

void sql_draft_array(struct sql_draft *draft, const struct pg_type *type)
{
    draft->types[draft->count++] = type->array;
    buffer_append_format(&draft->sql, "%s$%d::%s", draft->count > 1 ? ", " : "", draft->count,
                         type->array_name);
}

void sql_draft_scalar(struct sql_draft *draft, Oid type, const char *name)
{
    draft->types[draft->count++] = type;
    buffer_append_format(&draft->sql, "$%d::%s", draft->count, name);
}

void sql_draft_columns(struct sql_draft *draft, const struct table *table, size_t from, size_t to,
                       const char *prefix)
{
    for (size_t i = from; i < to; i++)
        buffer_append_format(&draft->sql, "%s%s%s", i > from ? ", " : "", prefix,
                             table->columns[i].name);
}

void sql_draft_arrays(struct sql_draft *draft, const struct table *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sql_draft_array(draft, pg_type_of(table->columns[i].type));
}

static void append_as_read(struct sql_draft *draft, const struct table *table, size_t count,
                           const char *prefix)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_format(&draft->sql, "%s%s%s%s", i > 0 ? ", " : "", prefix,
                             table->columns[i].name, pg_type_of(table->columns[i].type)->read_cast);
}

void sql_draft_selected(struct sql_draft *draft, const struct table *table)
{
    append_as_read(draft, table, table->column_count, "t.");
}

void sql_draft_key(struct sql_draft *draft, const struct table *table)
{
    append_as_read(draft, table, table->key_count, "");
}

void sql_draft_excluded(struct sql_draft *draft, const struct table *table)
{
    for (size_t i = table->key_count; i < table->column_count; i++)
        buffer_append_format(&draft->sql, "%s%s = excluded.%s", i > table->key_count ? ", " : "",
                             table->columns[i].name, table->columns[i].name);
}

int sql_draft_finish(struct sql_draft *draft, struct arena *arena, const char *verb,
                     const struct table *table, struct pg_statement *out)
{
    struct buffer name;
    Oid *types = arena_alloc_array(arena, (size_t)draft->count, sizeof(*types));

    buffer_init(&name, SQL_DRAFT_MAX_BYTES);
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
