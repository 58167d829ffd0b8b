/*
 * An entity file, checked and compiled: what the mapper needs to know about it, in the form it
 * walks along. The tables as the database sees them are in struct entity; here stands where their
 * values come from.
 */
#ifndef KOPRU_MAPPING_COMPILED_H
#define KOPRU_MAPPING_COMPILED_H

#include "base/arena.h"
#include "base/digest.h"
#include "mapping/mapper.h"
#include "mapping/path.h"
#include "model/entity.h"

#define MAPPING_NONE UINT32_MAX

/* Columns are counted with the key and `extra`: they bound the memory of a row. */
enum { MAPPING_MAX_COLUMNS = 128, MAPPING_MAX_SETS = 64, MAPPING_MAX_ALTERNATIVES = 8 };

/* Part of every payload hash: raise it when the engine reads a payload differently than before. */
#define MAPPING_ENGINE_VERSION "1"

/* A column and the paths it is fed from, the first present and non-null one. */
struct mapping_source {
    uint32_t column;
    uint32_t date_column; /* column of the civil date of an instant, else MAPPING_NONE */
    uint32_t first_slot;  /* of the paths, which have slots one after another */
    uint32_t slot_count;
    enum value_type type;
};

/* What one object of the payload gives to one row. */
struct mapping_object {
    struct path_level paths;
    uint32_t slot_count;
    struct mapping_source *sources;
    uint32_t source_count;
};

struct mapping_key {
    uint32_t column;
    uint32_t slot;
};

/* The triplets of a bag: value_column holds what was sent, the others the same by valueType. A
   column is MAPPING_NONE where the table has none. */
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
    struct mapping_key *keys; /* key columns that the element brings along */
    uint32_t key_count;
    uint32_t ordinal_column;
    uint32_t
        ordinal_within; /* column of keys within which elements are numbered; MAPPING_NONE: within
                                the set */
    struct mapping_typed_value typed;
};

struct mapping_set {
    struct slice array;
    uint32_t child;
};

struct mapping {
    struct arena arena; /* owns all that is below */
    struct entity entity;
    struct mapping_object root; /* slot 0 is the id, 1 to set_count are the arrays */
    uint32_t *slot_names; /* per slot of the root: index in root.paths of the top-level name it
                                begins with */
    const char *id_path;  /* "$.id" */
    struct mapping_child *children;
    struct mapping_set *sets;
    bool clears; /* absent = "clear" for the whole entity */
    size_t max_message_bytes;
    unsigned max_depth;
    uint8_t digest[DIGEST_BYTES]; /* of entity file, engine and time zone */
};

#endif
