/*
 * An entity file, checked and compiled into the form in which the mapper walks through it. struct
 * entity describes the tables as the database sees them; here is where their values come from.
 *
 * Columns, slots, sets and children are referred to by number: a column by its index in its table,
 * a slot (the end of a path) by its index in its object, a set and a child by its index in the
 * entity.
 */
#ifndef KOPRU_MAPPING_COMPILED_H
#define KOPRU_MAPPING_COMPILED_H

#include "base/arena.h"
#include "base/digest.h"
#include "mapping/mapper.h"
#include "mapping/path.h"
#include "model/entity.h"

#define MAPPING_NONE UINT32_MAX /* no such column, slot, set or child */

/* They bound the memory of a row. The key and `extra` count as columns. */
enum { MAPPING_MAX_COLUMNS = 128, MAPPING_MAX_SETS = 64, MAPPING_MAX_ALTERNATIVES = 8 };

/* Part of every payload hash. Raise it when the engine begins to read payloads differently. */
#define MAPPING_ENGINE_VERSION "1"

/* A column and the paths that may feed it: the first one that is present and not null does. */
struct mapping_source {
    uint32_t column;
    uint32_t date_column; /* for the civil date of an instant; MAPPING_NONE for other types */
    uint32_t first_slot;  /* the paths have consecutive slots */
    uint32_t slot_count;
    enum value_type type;
};

/* Where the values of one row come from: the paths in one object of the payload. */
struct mapping_object {
    struct path_level paths;
    uint32_t slot_count;
    struct mapping_source *sources;
    uint32_t source_count;
};

/* A key column and the path that feeds it. */
struct mapping_key {
    uint32_t column;
    uint32_t slot;
};

/* A name/valueType/value triplet: value_column holds the value as it was sent, and the column that
   valueType selects holds it converted. A column is MAPPING_NONE where the table has none. */
struct mapping_typed_value {
    uint32_t type_slot; /* MAPPING_NONE if the table has no typed value at all */
    uint32_t value_slot;
    uint32_t value_column;
    uint32_t numeric_column;
    uint32_t date_column;
    uint32_t timestamp_column;
    uint32_t boolean_column;
};

struct mapping_child {
    struct mapping_object object;
    struct mapping_key *keys; /* the key columns whose values are in the element */
    uint32_t key_count;
    uint32_t ordinal_column;
    uint32_t ordinal_within; /* elements are numbered among those with the same value in this key
                                column; MAPPING_NONE: among all of the set */
    struct mapping_typed_value typed;
};

/* An array of the payload, and the child table that its elements become rows of. */
struct mapping_set {
    struct slice array;
    uint32_t child;
};

struct mapping {
    struct arena arena; /* holds everything below */
    struct entity entity;
    struct mapping_object root; /* slot 0 is the id, slots 1 to set_count are the arrays */
    uint32_t *slot_names;       /* per slot of the root: the index in root.paths of the top-level
                                   name that its path begins with */
    const char *id_path;        /* "$.id" */
    struct mapping_child *children;
    struct mapping_set *sets;
    bool clears; /* absent = "clear" for the whole entity */
    size_t max_message_bytes;
    unsigned max_depth;
    uint8_t digest[DIGEST_BYTES]; /* over entity file, engine version and time zone */
};

#endif
