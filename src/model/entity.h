/*
 * What an entity is in the database: one root table and its child tables. The mapping builds it
 * from an entity file; the database layer generates SQL from it and checks it against the catalog;
 * folding compares rows by it. Immutable once loaded.
 *
 * Columns kopru keeps itself are not listed: payload_hash, source_time, created_at and updated_at
 * of a root table.
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
    size_t key_count; /* the first key_count columns are the primary key, in its order */
    size_t extra;     /* index of the jsonb column `extra`, always the last */
};

/* One array of the payload that a child table holds. A present array replaces its set and no other.
 */
struct child_set {
    const char *array; /* the array's name in the payload: "engagedParty" */
};

struct child {
    struct table
        table; /* key: the root's key, then the array name column if there is one, then the rest */
    const struct child_set *sets;
    size_t set_count;
    bool has_set_column; /* key column 1 holds the array's name (`bag`); without it there is one set
                          */
};

/* What one transaction has statements for. */
enum { ENTITY_MAX_CHILDREN = 16 };

struct entity {
    const char *name;  /* "subscription" */
    struct table root; /* key_count is 1 */
    const struct child *children;
    size_t child_count; /* at most ENTITY_MAX_CHILDREN */
    size_t set_count;   /* of all children together; sets are numbered through in their order */
};

#define ENTITY_SCHEMA "kopru"

/* The number of a child's first set among all sets of its entity. */
size_t entity_first_set(const struct entity *entity, size_t child);

/* The columns that every root table has beside those of its entity file. */
extern const char
    *const ENTITY_ROOT_COLUMNS[4]; /* payload_hash, source_time, created_at, updated_at */

#endif
