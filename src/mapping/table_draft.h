/*
 * Collects the columns of a table while its entity file is read: in order, each name once, and none
 * of the columns that kopru fills by itself.
 */
#ifndef KOPRU_MAPPING_TABLE_DRAFT_H
#define KOPRU_MAPPING_TABLE_DRAFT_H

#include "base/arena.h"
#include "config/cfg.h"
#include "mapping/compiled.h"
#include "model/entity.h"

struct table_draft {
    bool is_root; /* so the names of ENTITY_ROOT_COLUMNS are taken */
    struct column columns[MAPPING_MAX_COLUMNS];
    size_t count;
    bool full; /* there were too many columns, which is reported once */
};

/* Adds a column. where is the setting that names it; name must outlive the table. Returns the
   column's index, or MAPPING_NONE with a problem. */
uint32_t table_draft_add(struct table_draft *draft, struct cfg where, const char *name,
                         enum value_type type);

/* Returns the index of a column, or MAPPING_NONE if there is none of that name. */
uint32_t table_draft_find(const struct table_draft *draft, const char *name);

/* Adds `extra` and makes the table. Returns false when there is no memory. */
bool table_draft_finish(const struct table_draft *draft, const char *name, size_t key_count,
                        struct arena *arena, struct table *table);

/* Returns NULL if PostgreSQL accepts the name without quotes, and else what is wrong with it. */
const char *table_name_fault(const char *name);

#endif
