#include "mapping/entity_file.h"

#include "base/utf8.h"

#include <stdio.h>

/*
 * A file is read to its end whatever is wrong in it, so that a person sees all problems at once. A
 * function that meets a problem reports it and continues with MAPPING_NONE or NULL, which the other
 * functions accept silently; entity_file_read() asks at the end whether there was a problem. The
 * children are read before the root's columns, because slots 1 to set_count of the root must be the
 * arrays.
 */

static const char *const OWN_TABLES[] = { "dead_letters", "queues", "schema_version", NULL };

static char *copy_text(struct entity_reader *reader, const char *text)
{
    char *copy = arena_copy(reader->arena, text, strlen(text));

    if (copy == NULL)
        reader->out_of_memory = true;
    return copy;
}

/* Paths. */

static void path_problem(struct cfg setting, enum path_added added, const char *path)
{
    if (added == PATH_TAKEN)
        cfg_problem(setting, "one property feeds one column; remove one of the two",
                    "the path \"%.*s\" is already used", UTF8_CUT_ARG(path, 100));
    else if (added == PATH_INSIDE)
        cfg_problem(setting,
                    "a property is either a value or an object of others: remove one of the two",
                    "the path \"%.*s\" conflicts with another: one of the two continues the other",
                    UTF8_CUT_ARG(path, 100));
}

/* Adds one path. Returns false, with a problem, if it is not a path or is already used. */
static bool add_path(struct entity_reader *reader, struct mapping_object *object,
                     struct cfg setting, const char *path)
{
    const char *fault = path_fault(path);
    enum path_added added;

    if (fault != NULL) {
        cfg_problem(setting, "names joined by dots, as in path = \"validFor.startDateTime\"",
                    "\"%.*s\": %s", UTF8_CUT_ARG(path, 100), fault);
        return false;
    }
    added = path_add(&object->paths, path, object->slot_count, reader->arena);
    if (added == PATH_NO_MEMORY)
        reader->out_of_memory = true;
    path_problem(setting, added, path);
    if (added != PATH_ADDED)
        return false;
    object->slot_count++;
    return true;
}

uint32_t entity_path_read(struct entity_reader *reader, struct mapping_object *object,
                          struct cfg setting)
{
    uint32_t slot = object->slot_count;
    const char *path;

    if (!cfg_as_string(setting, &path) || !add_path(reader, object, setting, path))
        return MAPPING_NONE;
    return slot;
}

/* What a message leaves out. */

enum path_absent entity_absent_read(struct cfg group)
{
    static const char *const names[] = { "keep", "clear", NULL };
    int choice;

    if (!cfg_choice(group, "absent", names, &choice))
        return PATH_ABSENT_UNSET;
    return choice == 0 ? PATH_ABSENT_KEEP : PATH_ABSENT_CLEAR;
}

void entity_absent_set(struct entity_reader *reader, struct cfg where, const char *path,
                       enum path_absent absent)
{
    struct path_level *top = &reader->mapping->root.paths;
    uint32_t index = path_top_index(top, path);

    if (absent == PATH_ABSENT_UNSET || index == PATH_NO_SLOT)
        return;
    if (reader->mapping->clears && absent == PATH_ABSENT_KEEP)
        cfg_problem(where,
                    "remove absent = \"clear\" from the entity, and write it at each property that "
                    "the publisher omits when empty",
                    "an entity with absent = \"clear\" cannot keep single properties");
    else if (top->steps[index].absent != PATH_ABSENT_UNSET && top->steps[index].absent != absent)
        cfg_problem(
            where, "absent holds per top-level property: give it the same value at all its columns",
            "another column has another value of absent for the property \"%.*s\"",
            SLICE_ARG(top->steps[index].name));
    else
        top->steps[index].absent = absent;
}

/* Names. */

const char *entity_name_read(struct entity_reader *reader, struct cfg group, const char *key)
{
    struct cfg setting = cfg_get(group, key);
    const char *name;
    const char *fault;

    if (!cfg_need_string(group, key, &name))
        return NULL;
    fault = table_name_fault(name);
    if (fault != NULL) {
        cfg_problem(setting, "it is the name that the migration gives, such as valid_from",
                    "\"%.*s\": %s", UTF8_CUT_ARG(name, 80), fault);
        return NULL;
    }
    return copy_text(reader, name);
}

const char *entity_table_read(struct entity_reader *reader, struct cfg group)
{
    const char *name = entity_name_read(reader, group, "table");
    struct cfg setting = cfg_get(group, "table");

    if (name == NULL)
        return NULL;
    for (size_t i = 0; OWN_TABLES[i] != NULL; i++)
        if (strcmp(name, OWN_TABLES[i]) == 0)
            cfg_problem(setting, "give the table another name, in the migration too",
                        "\"%s\" is one of kopru's own tables", name);
    for (size_t i = 0; i < reader->table_count; i++)
        if (strcmp(name, reader->tables[i]) == 0)
            cfg_problem(setting,
                        "several arrays may feed one table: arrays = [ \"a\", \"b\" ] with "
                        "array_name_column",
                        "the table \"%s\" is already used in this file", name);
    if (reader->table_count < sizeof(reader->tables) / sizeof(reader->tables[0]))
        reader->tables[reader->table_count++] = name;
    return name;
}

/* Columns. */

static bool read_type(struct cfg entry, enum value_type *type)
{
    static const char *const names[] = {
        "text", "numeric", "date", "timestamptz", "boolean", NULL
    };
    static const enum value_type types[] = { VALUE_TEXT, VALUE_NUMERIC, VALUE_DATE,
                                             VALUE_TIMESTAMPTZ, VALUE_BOOLEAN };
    int choice;

    *type = VALUE_TEXT;
    if (!cfg_exists(cfg_get(entry, "type")))
        return true;
    if (!cfg_choice(entry, "type", names, &choice))
        return false;
    *type = types[choice];
    return true;
}

/* Reads the column for the civil date of an instant: every instant has one, no other type has. */
static uint32_t read_date_column(struct entity_reader *reader, struct cfg entry,
                                 struct table_draft *table, enum value_type type)
{
    struct cfg setting = cfg_get(entry, "date_column");
    const char *name;

    if (type != VALUE_TIMESTAMPTZ) {
        if (cfg_exists(setting))
            cfg_problem(setting, "write type = \"timestamptz\", or leave date_column out",
                        "only an instant has a date_column");
        return MAPPING_NONE;
    }
    if (!cfg_exists(setting)) {
        cfg_missing(entry, "date_column",
                    "every instant has a column of type date for its day in the ERP's time zone");
        return MAPPING_NONE;
    }
    name = entity_name_read(reader, entry, "date_column");
    return name != NULL ? table_draft_add(table, setting, name, VALUE_DATE) : MAPPING_NONE;
}

/* Reads the `path` of a column: one path or a list of alternatives. Returns how many were added. */
static uint32_t read_paths(struct entity_reader *reader, struct cfg entry,
                           struct mapping_object *object)
{
    struct cfg setting = cfg_get(entry, "path");
    uint32_t added = 0;

    if (!cfg_exists(setting)) {
        cfg_missing(entry, "path",
                    "the property that feeds the column, as in path = \"validFor.startDateTime\"");
        return 0;
    }
    if (cfg_type(setting) != CFG_LIST)
        return entity_path_read(reader, object, setting) != MAPPING_NONE;
    if (cfg_count(setting) == 0 || cfg_count(setting) > MAPPING_MAX_ALTERNATIVES)
        cfg_problem(setting, NULL, "a list of paths has 1 to %d of them", MAPPING_MAX_ALTERNATIVES);
    for (size_t i = 0; i < cfg_count(setting); i++)
        added += entity_path_read(reader, object, cfg_item(setting, i)) != MAPPING_NONE;
    return added;
}

static void set_absent(struct entity_reader *reader, struct cfg entry)
{
    struct cfg paths = cfg_get(entry, "path");
    enum path_absent absent = entity_absent_read(entry);
    const char *path;

    if (absent == PATH_ABSENT_UNSET)
        return;
    if (cfg_type(paths) == CFG_STRING && cfg_as_string(paths, &path))
        entity_absent_set(reader, cfg_get(entry, "absent"), path, absent);
    for (size_t i = 0; cfg_type(paths) == CFG_LIST && i < cfg_count(paths); i++)
        if (cfg_type(cfg_item(paths, i)) == CFG_STRING && cfg_as_string(cfg_item(paths, i), &path))
            entity_absent_set(reader, cfg_get(entry, "absent"), path, absent);
}

static void read_column(struct entity_reader *reader, struct cfg entry, struct table_draft *table,
                        struct mapping_object *object)
{
    struct mapping_source *source = &object->sources[object->source_count];
    const char *name = entity_name_read(reader, entry, "column");

    *source = (struct mapping_source){ .column = MAPPING_NONE,
                                       .date_column = MAPPING_NONE,
                                       .first_slot = object->slot_count };
    if (read_type(entry, &source->type)) {
        if (name != NULL)
            source->column = table_draft_add(table, cfg_get(entry, "column"), name, source->type);
        source->date_column = read_date_column(reader, entry, table, source->type);
    }
    source->slot_count = read_paths(reader, entry, object);
    if (source->column != MAPPING_NONE && source->slot_count > 0)
        object->source_count++;
}

void entity_columns_read(struct entity_reader *reader, struct cfg group, struct table_draft *table,
                         struct mapping_object *object, bool may_say_absent)
{
    static const char *const of_root[] = {
        "column", "path", "type", "date_column", "absent", NULL
    };
    static const char *const of_child[] = { "column", "path", "type", "date_column", NULL };
    struct cfg columns = cfg_list(group, "columns");

    object->sources =
        arena_alloc_array(reader->arena, cfg_count(columns), sizeof(*object->sources));
    if (object->sources == NULL) {
        reader->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < cfg_count(columns); i++) {
        struct cfg entry = cfg_item_group(columns, i);

        if (!cfg_exists(entry))
            continue;
        cfg_known(entry, may_say_absent ? of_root : of_child);
        read_column(reader, entry, table, object);
        if (may_say_absent)
            set_absent(reader, entry);
    }
}

/* The root. */

static void read_root_key(struct entity_reader *reader, struct table_draft *table)
{
    static const char *const known[] = { "column", "path", NULL };
    struct mapping *mapping = reader->mapping;
    struct cfg key = cfg_group(reader->root, "key");
    const char *column;
    const char *path;
    size_t id_path_size;
    char *id_path;

    mapping->root.slot_count = 1;
    if (!cfg_exists(cfg_get(reader->root, "key")))
        cfg_missing(reader->root, "key",
                    "the table's key, as in key = { column = \"customer_id\"; path = \"id\"; };");
    if (!cfg_exists(key))
        return;
    cfg_known(key, known);
    column = entity_name_read(reader, key, "column");
    if (column != NULL)
        table_draft_add(table, cfg_get(key, "column"), column, VALUE_TEXT);
    if (!cfg_need_string(key, "path", &path))
        return;
    mapping->root.slot_count = 0; /* the id has slot 0 */
    if (!add_path(reader, &mapping->root, cfg_get(key, "path"), path))
        mapping->root.slot_count = 1;
    id_path_size = strlen(path) + sizeof("$.");
    id_path = arena_alloc(reader->arena, id_path_size);
    if (id_path == NULL) {
        reader->out_of_memory = true;
        return;
    }
    snprintf(id_path, id_path_size, "$.%s", path);
    mapping->id_path = id_path;
}

static void clear_the_unset(struct mapping *mapping)
{
    for (uint32_t i = 0; mapping->clears && i < mapping->root.paths.count; i++)
        mapping->root.paths.steps[i].absent = PATH_ABSENT_CLEAR;
}

int entity_file_read(struct mapping *mapping, struct cfg root)
{
    static const char *const known[] = { "entity",  "table",    "absent", "key",
                                         "columns", "children", NULL };
    struct entity_reader reader = { .mapping = mapping, .arena = &mapping->arena, .root = root };
    struct table_draft draft = { .is_root = true };
    const char *table;

    cfg_known(root, known);
    mapping->entity.name = entity_name_read(&reader, root, "entity");
    table = entity_table_read(&reader, root);
    mapping->clears = entity_absent_read(root) == PATH_ABSENT_CLEAR;
    read_root_key(&reader, &draft);
    entity_children_read(&reader, &draft);
    entity_columns_read(&reader, root, &draft, &mapping->root, true);
    clear_the_unset(mapping);
    if (cfg_failed(root.file))
        return -1;
    if (reader.out_of_memory ||
        !table_draft_finish(&draft, table, 1, &mapping->arena, &mapping->entity.root))
        return -1;
    return 0;
}
