/*
 * Reading an entity file into a mapping: one problem with file:line and a hint for everything that
 * is wrong in it, not only the first. etc/entities/customer.cfg explains the format to those who
 * write such files.
 */
#ifndef KOPRU_MAPPING_ENTITY_FILE_H
#define KOPRU_MAPPING_ENTITY_FILE_H

#include "config/cfg.h"
#include "mapping/compiled.h"
#include "mapping/table_draft.h"

/* Everything that is known while a file is read. Problems are reported through the cfg values. */
struct entity_reader {
    struct mapping *mapping;
    struct arena *arena; /* the mapping's */
    struct cfg root;
    const char *tables[MAPPING_MAX_SETS + 1]; /* names met so far: a table belongs to one place */
    size_t table_count;
    bool out_of_memory;
};

/* Fills the mapping but for its digest. Returns 0, or -1 if the file has a problem or there is no
   memory. */
int entity_file_read(struct mapping *mapping, struct cfg root);

/* The entries of `children`. The root's draft has its key already. */
void entity_children_read(struct entity_reader *reader, const struct table_draft *root);

/* Shared by both: an object's own settings. */

/* The value of a setting that must be an identifier of PostgreSQL, copied; NULL with a problem if
   it is none. */
const char *entity_name_read(struct entity_reader *reader, struct cfg group, const char *key);

/* The same for a table, which no other part of the file and kopru itself may use. */
const char *entity_table_read(struct entity_reader *reader, struct cfg group);

/* The path of a key or a value, given its slot in the object; MAPPING_NONE with a problem if it is
   none. */
uint32_t entity_path_read(struct entity_reader *reader, struct mapping_object *object,
                          struct cfg setting);

/* The list `columns`. may_say_absent: each entry may have `absent`. */
void entity_columns_read(struct entity_reader *reader, struct cfg group, struct table_draft *table,
                         struct mapping_object *object, bool may_say_absent);

/* A member `absent`: PATH_ABSENT_UNSET if there is none. */
enum path_absent entity_absent_read(struct cfg group);

/* What a message says by leaving out the top-level name that a path of the root begins with. where
   may have no setting. */
void entity_absent_set(struct entity_reader *reader, struct cfg where, const char *path,
                       enum path_absent absent);

#endif
