#include "mapping/table_draft.h"

/*
 * Names are restricted to what PostgreSQL takes without quotes, so that generated SQL never quotes
 * a name, and a name reads the same in the entity file, in the migration and in the statement that
 * a DBA finds in a log.
 */

enum { MAX_NAME_BYTES = 63 }; /* PostgreSQL cuts longer names */

const char *table_name_fault(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
    static const char other[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

    if (name[0] == '\0')
        return "it is empty";
    if (strlen(name) > MAX_NAME_BYTES)
        return "it is longer than 63 bytes, where PostgreSQL cuts names";
    if (strchr(first, name[0]) == NULL || name[strspn(name, other)] != '\0')
        return "it is not a plain name: lower-case letters a to z, digits and _, not beginning "
               "with a digit";
    return NULL;
}

uint32_t table_draft_find(const struct table_draft *draft, const char *name)
{
    for (size_t i = 0; i < draft->count; i++)
        if (strcmp(draft->columns[i].name, name) == 0)
            return (uint32_t)i;
    return MAPPING_NONE;
}

static bool is_own(const struct table_draft *draft, const char *name)
{
    if (strcmp(name, "extra") == 0)
        return true;
    for (size_t i = 0;
         draft->is_root && i < sizeof(ENTITY_ROOT_COLUMNS) / sizeof(ENTITY_ROOT_COLUMNS[0]); i++)
        if (strcmp(name, ENTITY_ROOT_COLUMNS[i]) == 0)
            return true;
    return false;
}

uint32_t table_draft_add(struct table_draft *draft, struct cfg where, const char *name,
                         enum value_type type)
{
    if (is_own(draft, name)) {
        cfg_problem(where, "give the column another name, in the migration too",
                    "kopru itself fills the column \"%s\" of this table", name);
        return MAPPING_NONE;
    }
    if (table_draft_find(draft, name) != MAPPING_NONE) {
        cfg_problem(where,
                    "a column has one source: for a value that comes in several places, write "
                    "path = [ \"a.x\", \"x\" ]",
                    "the table already has a column \"%s\"", name);
        return MAPPING_NONE;
    }
    if (draft->count == MAPPING_MAX_COLUMNS - 1) {
        if (!draft->full)
            cfg_problem(where, "leave rare attributes out: they go to the column extra",
                        "a table has at most %d columns here, extra among them",
                        MAPPING_MAX_COLUMNS);
        draft->full = true;
        return MAPPING_NONE;
    }
    draft->columns[draft->count] = (struct column){ name, type };
    return (uint32_t)draft->count++;
}

bool table_draft_finish(const struct table_draft *draft, const char *name, size_t key_count,
                        struct arena *arena, struct table *table)
{
    struct column *columns = arena_alloc_array(arena, draft->count + 1, sizeof(*columns));

    if (columns == NULL)
        return false;
    memcpy(columns, draft->columns, draft->count * sizeof(*columns));
    columns[draft->count] = (struct column){ "extra", VALUE_JSONB };
    *table = (struct table){
        .name = name,
        .columns = columns,
        .column_count = draft->count + 1,
        .key_count = key_count,
        .extra = draft->count,
    };
    return true;
}
