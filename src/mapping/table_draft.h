/*
 * The columns of a table while its entity file is read: in order, each once, none of kopru's own.
 */
#ifndef KOPRU_MAPPING_TABLE_DRAFT_H
#define KOPRU_MAPPING_TABLE_DRAFT_H

#include "base/arena.h"
#include "config/cfg.h"
#include "mapping/compiled.h"
#include "model/entity.h"

struct table_draft {
    bool is_root; /* payload_hash and the like are taken */
    struct column columns[MAPPING_MAX_COLUMNS];
    size_t count;
    bool full; /* said once */
};

/* Adds a column; name must outlive the table. where is the setting that names it. Returns its
   index, or MAPPING_NONE with a problem. */
uint32_t table_draft_add(struct table_draft *draft, struct cfg where, const char *name,
                         enum value_type type);

/* The index of a column, MAPPING_NONE if there is none. */
uint32_t table_draft_find(const struct table_draft *draft, const char *name);

/* Adds `extra` and makes the table. False when there is no memory. */
bool table_draft_finish(const struct table_draft *draft, const char *name, size_t key_count,
                        struct arena *arena, struct table *table);

/* NULL if PostgreSQL takes the name without quotes, else what is wrong with it. */
const char *table_name_fault(const char *name);

#endif
