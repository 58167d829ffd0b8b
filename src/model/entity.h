/*
 * What an entity is in the database: one root table and its child tables. The mapping builds it
 * from an entity file, the database layer generates SQL from it and checks it against the catalog,
 * and folding uses it to compare rows. It is immutable once it is loaded.
 *
 * The columns of a root table that kopru fills by itself are not listed: payload_hash, source_time,
 * created_at and updated_at.
 */
#ifndef KOPRU_MODEL_ENTITY_H
#define KOPRU_MODEL_ENTITY_H

#include "model/value.h"

struct column {
    const char *name;
    enum value_type type;
};

struct table {
    const char *name; /* without the schema, which is always kopru */
    const struct column *columns;
    size_t column_count;
    size_t key_count; /* the first key_count columns are the primary key, in this order */
    size_t extra;     /* index of the jsonb column `extra`, always the last */
};

/* One array of the payload, whose elements are rows of a child table. An array that is present in a
   message replaces its own set and no other. */
struct child_set {
    const char *array; /* its name in the payload: "engagedParty" */
};

struct child {
    /* Its key is the root's key, the column with the array's name if there is one, and the rest. */
    struct table table;
    const struct child_set *sets;
    size_t set_count;
    bool has_set_column; /* key column 1 is that with the array's name; else there is one set */
};

enum {
    ENTITY_MAX_CHILDREN = 16,   /* one transaction has prepared statements for no more */
    ENTITY_KEY_MAX_BYTES = 255, /* of a key that kopru writes */
};

struct entity {
    const char *name;  /* "subscription" */
    struct table root; /* key_count is 1 */
    const struct child *children;
    size_t child_count; /* at most ENTITY_MAX_CHILDREN */
    size_t set_count;   /* of all children; the sets are numbered in the order of the children */
};

#define ENTITY_SCHEMA "kopru"

/* Returns the number of a child's first set among all sets of its entity. */
size_t entity_first_set(const struct entity *entity, size_t child);

/* The columns that every root table has in addition to those of its entity file: payload_hash,
   source_time, created_at, updated_at. */
extern const char *const ENTITY_ROOT_COLUMNS[4];

#endif
