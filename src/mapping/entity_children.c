#include "mapping/entity_file.h"

#include "base/utf8.h"

/*
 * The key of a child table must tell any two elements apart, or a message with two alike would be
 * refused by the database for good. That is why every key ends with an ordinal, and why an ordinal
 * can be counted within another key column: an element then keeps its key when others are added
 * before it. The columns of a draft are in the order in which they are read here, with the key
 * first.
 */

static struct mapping_typed_value no_typed_value(void)
{
    return (struct mapping_typed_value){ MAPPING_NONE, MAPPING_NONE, MAPPING_NONE, MAPPING_NONE,
                                         MAPPING_NONE, MAPPING_NONE, MAPPING_NONE };
}

/* The state while one entry of `children` is read. */
struct child_reader {
    struct entity_reader *reader;
    struct cfg entry;
    struct table_draft table;
    struct mapping_child *compiled;
    struct child *child;
    struct child_set *sets; /* of child */
};

/* Arrays. */

static bool add_array(struct child_reader *child, struct cfg setting, const char *name)
{
    struct mapping *mapping = child->reader->mapping;
    struct arena *arena = child->reader->arena;
    uint32_t number = (uint32_t)mapping->entity.set_count;
    struct child_set *set = &child->sets[child->child->set_count];

    if (strchr(name, '.') != NULL) {
        cfg_problem(setting, "an array of rows is a property of the payload itself",
                    "\"%.*s\" is not a single name", UTF8_CUT_ARG(name, 100));
        return false;
    }
    if (number == MAPPING_MAX_SETS) {
        cfg_problem(setting, NULL, "an entity has at most %d arrays", MAPPING_MAX_SETS);
        return false;
    }
    if (entity_path_read(child->reader, &mapping->root, setting) == MAPPING_NONE)
        return false;
    set->array = arena_copy(arena, name, strlen(name));
    if (set->array == NULL) {
        child->reader->out_of_memory = true;
        return false;
    }
    mapping->sets[number] =
        (struct mapping_set){ slice_of(set->array),
                              (uint32_t)(child->child - mapping->entity.children) };
    mapping->entity.set_count++;
    child->child->set_count++;
    return true;
}

static void read_arrays(struct child_reader *child)
{
    struct cfg arrays = cfg_list(child->entry, "arrays");
    enum path_absent absent = entity_absent_read(child->entry);

    if (!cfg_exists(cfg_get(child->entry, "arrays")))
        cfg_missing(child->entry, "arrays",
                    "the properties that hold the rows, as in arrays = [ \"engagedParty\" ]");
    else if (cfg_exists(arrays) && cfg_count(arrays) == 0)
        cfg_problem(arrays, "name at least one property, as in arrays = [ \"engagedParty\" ]",
                    "the list is empty");
    child->sets = arena_alloc_array(child->reader->arena, cfg_count(arrays), sizeof(*child->sets));
    child->child->sets = child->sets;
    if (child->sets == NULL) {
        child->reader->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < cfg_count(arrays); i++) {
        struct cfg setting = cfg_item(arrays, i);
        const char *name;

        if (cfg_as_string(setting, &name) && add_array(child, setting, name))
            entity_absent_set(child->reader, cfg_get(child->entry, "absent"), name, absent);
    }
}

static void read_array_name_column(struct child_reader *child)
{
    struct cfg setting = cfg_get(child->entry, "array_name_column");
    const char *name;

    if (!cfg_exists(setting)) {
        if (cfg_count(cfg_list(child->entry, "arrays")) > 1)
            cfg_missing(child->entry, "array_name_column",
                        "several arrays in one table need a key column that tells them apart");
        return;
    }
    name = entity_name_read(child->reader, child->entry, "array_name_column");
    if (name != NULL)
        child->child->has_set_column =
            table_draft_add(&child->table, setting, name, VALUE_TEXT) != MAPPING_NONE;
}

/* Keys. */

enum { KEY_PATH = 1, KEY_ORDINAL = 2, KEY_WITHIN = 4 };

/* Returns which of the three sources a key column has; 0, with a problem, if not exactly one. */
static int key_source(struct cfg entry)
{
    int sources = (cfg_exists(cfg_get(entry, "path")) ? KEY_PATH : 0) |
                  (cfg_exists(cfg_get(entry, "ordinal")) ? KEY_ORDINAL : 0) |
                  (cfg_exists(cfg_get(entry, "ordinal_within")) ? KEY_WITHIN : 0);

    if (sources == KEY_PATH || sources == KEY_ORDINAL || sources == KEY_WITHIN)
        return sources;
    cfg_problem(entry,
                "path: a value of the element; ordinal = true: its number in the array; "
                "ordinal_within = \"column\": its number among those with the same value there",
                sources == 0 ? "the key column has no source" : "the key column has two sources");
    return 0;
}

static void read_key_path(struct child_reader *child, struct cfg entry, uint32_t column)
{
    uint32_t slot =
        entity_path_read(child->reader, &child->compiled->object, cfg_get(entry, "path"));

    if (slot != MAPPING_NONE && column != MAPPING_NONE)
        child->compiled->keys[child->compiled->key_count++] = (struct mapping_key){ column, slot };
}

static void read_key_ordinal(struct child_reader *child, struct cfg entry, uint32_t column)
{
    bool wanted = true;

    if (cfg_bool(entry, "ordinal", &wanted) && !wanted)
        cfg_problem(cfg_get(entry, "ordinal"),
                    "write ordinal = true, or leave it out and give the column a path",
                    "it is false");
    child->compiled->ordinal_column = column;
}

static void read_key_within(struct child_reader *child, struct cfg entry, uint32_t column)
{
    struct mapping_child *compiled = child->compiled;
    const char *name;
    uint32_t within;

    compiled->ordinal_column = column;
    if (!cfg_need_string(entry, "ordinal_within", &name))
        return;
    within = table_draft_find(&child->table, name);
    for (uint32_t i = 0; i < compiled->key_count; i++)
        if (compiled->keys[i].column == within)
            compiled->ordinal_within = within;
    if (compiled->ordinal_within == MAPPING_NONE)
        cfg_problem(cfg_get(entry, "ordinal_within"),
                    "name a column of this key that has a path and stands before this one",
                    "no such key column: \"%.*s\"", UTF8_CUT_ARG(name, 80));
}

static void read_key_column(struct child_reader *child, struct cfg entry)
{
    static const char *const known[] = { "column", "path", "ordinal", "ordinal_within", NULL };
    int source = key_source(entry);
    const char *name = entity_name_read(child->reader, entry, "column");
    bool is_ordinal = source == KEY_ORDINAL || source == KEY_WITHIN;
    bool again = is_ordinal && child->compiled->ordinal_column != MAPPING_NONE;
    uint32_t column = MAPPING_NONE;

    cfg_known(entry, known);
    if (name != NULL)
        column = table_draft_add(&child->table, cfg_get(entry, "column"), name,
                                 is_ordinal ? VALUE_INTEGER : VALUE_TEXT);
    if (again)
        cfg_problem(entry, "one number is enough to tell elements apart",
                    "the key already has an ordinal");
    else if (source == KEY_PATH)
        read_key_path(child, entry, column);
    else if (source == KEY_ORDINAL)
        read_key_ordinal(child, entry, column);
    else if (source == KEY_WITHIN)
        read_key_within(child, entry, column);
}

static void read_keys(struct child_reader *child)
{
    static const char hint[] =
        "two elements may be alike: end the key with { column = \"position\"; ordinal = true; } or "
        "{ column = \"occurrence\"; ordinal_within = \"COLUMN\"; }";
    struct cfg keys = cfg_list(child->entry, "key");
    bool has_ordinal = false;

    if (!cfg_exists(cfg_get(child->entry, "key")))
        cfg_missing(child->entry, "key", hint);
    if (!cfg_exists(keys))
        return;
    child->compiled->keys =
        arena_alloc_array(child->reader->arena, cfg_count(keys), sizeof(*child->compiled->keys));
    if (child->compiled->keys == NULL) {
        child->reader->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < cfg_count(keys); i++) {
        struct cfg entry = cfg_item_group(keys, i);

        if (!cfg_exists(entry))
            continue;
        has_ordinal |=
            cfg_exists(cfg_get(entry, "ordinal")) || cfg_exists(cfg_get(entry, "ordinal_within"));
        read_key_column(child, entry);
    }
    if (!has_ordinal)
        cfg_problem(keys, hint, "the key has no ordinal");
}

/* Typed values. */

static uint32_t read_typed_column(struct child_reader *child, struct cfg group, const char *key,
                                  enum value_type type)
{
    const char *name;

    if (!cfg_exists(cfg_get(group, key)))
        return MAPPING_NONE;
    name = entity_name_read(child->reader, group, key);
    return name != NULL ? table_draft_add(&child->table, cfg_get(group, key), name, type)
                        : MAPPING_NONE;
}

/* The type usually has a column as well; then its path has already been added. */
static uint32_t read_type_path(struct child_reader *child, struct cfg group)
{
    const char *path;
    uint32_t slot;

    if (!cfg_need_string(group, "type_path", &path))
        return MAPPING_NONE;
    slot = path_slot(&child->compiled->object.paths, path);
    return slot != PATH_NO_SLOT ? slot
                                : entity_path_read(child->reader, &child->compiled->object,
                                                   cfg_get(group, "type_path"));
}

static void read_typed_value(struct child_reader *child)
{
    static const char *const known[] = { "type_path", "value_path", "text",    "numeric",
                                         "date",      "timestamp",  "boolean", NULL };
    struct cfg group = cfg_group(child->entry, "typed_value");
    struct mapping_typed_value *typed = &child->compiled->typed;
    const char *path;

    if (!cfg_exists(group))
        return;
    cfg_known(group, known);
    typed->type_slot = read_type_path(child, group);
    if (cfg_need_string(group, "value_path", &path))
        typed->value_slot =
            entity_path_read(child->reader, &child->compiled->object, cfg_get(group, "value_path"));
    if (!cfg_exists(cfg_get(group, "text")))
        cfg_missing(group, "text", "the column that holds every value as it was sent");
    typed->value_column = read_typed_column(child, group, "text", VALUE_TEXT);
    typed->numeric_column = read_typed_column(child, group, "numeric", VALUE_NUMERIC);
    typed->date_column = read_typed_column(child, group, "date", VALUE_DATE);
    typed->timestamp_column = read_typed_column(child, group, "timestamp", VALUE_TIMESTAMPTZ);
    typed->boolean_column = read_typed_column(child, group, "boolean", VALUE_BOOLEAN);
    if (cfg_exists(cfg_get(group, "timestamp")) && !cfg_exists(cfg_get(group, "date")))
        cfg_missing(group, "date",
                    "every instant has a column of type date for its day in the ERP's time zone");
}

/* One child table. */

static void read_child(struct child_reader *child, const struct table_draft *root)
{
    static const char *const known[] = { "table", "arrays",  "array_name_column", "absent",
                                         "key",   "columns", "typed_value",       NULL };
    struct entity_reader *reader = child->reader;
    const char *table;
    size_t key_count;

    cfg_known(child->entry, known);
    child->compiled->ordinal_column = MAPPING_NONE;
    child->compiled->ordinal_within = MAPPING_NONE;
    child->compiled->typed = no_typed_value();
    table = entity_table_read(reader, child->entry);
    if (root->count > 0)
        table_draft_add(&child->table, child->entry, root->columns[0].name, VALUE_TEXT);
    read_arrays(child);
    read_array_name_column(child);
    read_keys(child);
    key_count = child->table.count;
    entity_columns_read(reader, child->entry, &child->table, &child->compiled->object, false);
    read_typed_value(child);
    if (!table_draft_finish(&child->table, table, key_count, reader->arena, &child->child->table))
        reader->out_of_memory = true;
}

void entity_children_read(struct entity_reader *reader, const struct table_draft *root)
{
    struct mapping *mapping = reader->mapping;
    struct cfg list = cfg_list(reader->root, "children");
    size_t count = cfg_count(list);
    struct child *children;

    if (count > ENTITY_MAX_CHILDREN) {
        cfg_problem(list,
                    "arrays of the same kind can share a table, told apart by array_name_column",
                    "an entity has at most %d child tables", ENTITY_MAX_CHILDREN);
        return;
    }
    children = arena_alloc_array(reader->arena, count, sizeof(*children));
    mapping->children = arena_alloc_array(reader->arena, count, sizeof(*mapping->children));
    mapping->sets = arena_alloc_array(reader->arena, MAPPING_MAX_SETS, sizeof(*mapping->sets));
    if (children == NULL || mapping->children == NULL || mapping->sets == NULL) {
        reader->out_of_memory = true;
        return;
    }
    mapping->entity.children = children;
    mapping->entity.child_count = count;
    for (size_t i = 0; i < count; i++) {
        struct child_reader child = {
            .reader = reader,
            .entry = cfg_item_group(list, i),
            .compiled = &mapping->children[i],
            .child = &children[i],
        };

        if (cfg_exists(child.entry))
            read_child(&child, root);
    }
}
