/*
 * Reads an entity file into a mapping, and reports everything that is wrong in the file, each
 * problem with file:line and a hint. etc/entities/customer.cfg explains the format to people who
 * write such files.
 */
#ifndef KOPRU_MAPPING_ENTITY_FILE_H
#define KOPRU_MAPPING_ENTITY_FILE_H

#include "config/cfg.h"
#include "mapping/compiled.h"
#include "mapping/table_draft.h"

/* The state while a file is read. Problems are reported through the cfg values. */
struct entity_reader {
    struct mapping *mapping;
    struct arena *arena; /* the mapping's */
    struct cfg root;
    const char *tables[MAPPING_MAX_SETS + 1]; /* the names so far: each table is used once */
    size_t table_count;
    bool out_of_memory;
};

/* Fills the mapping, except for its digest. Returns 0, or -1 if the file has a problem or there is
   no memory. */
int entity_file_read(struct mapping *mapping, struct cfg root);

/* Reads the entries of `children`. The root's draft must have its key already. */
void entity_children_read(struct entity_reader *reader, const struct table_draft *root);

/* The settings that the root and a child have in common. */

/* Returns a copy of a setting's value, which must be an identifier of PostgreSQL. Returns NULL, and
   reports a problem, if it is not one. */
const char *entity_name_read(struct entity_reader *reader, struct cfg group, const char *key);

/* The same for the name of a table, which neither kopru nor another part of the file may use. */
const char *entity_table_read(struct entity_reader *reader, struct cfg group);

/* Adds the path of a key or a value to the object. Returns its slot, or MAPPING_NONE with a problem
   if it is not a path or is already used. */
uint32_t entity_path_read(struct entity_reader *reader, struct mapping_object *object,
                          struct cfg setting);

/* Reads the list `columns`. With may_say_absent each entry may have `absent`. */
void entity_columns_read(struct entity_reader *reader, struct cfg group, struct table_draft *table,
                         struct mapping_object *object, bool may_say_absent);

/* Reads `absent`; it is PATH_ABSENT_UNSET if the group does not have it. */
enum path_absent entity_absent_read(struct cfg group);

/* Sets what a message says by leaving out the top-level name that a path of the root begins with.
   where is the setting to blame for a contradiction, and may be missing. */
void entity_absent_set(struct entity_reader *reader, struct cfg where, const char *path,
                       enum path_absent absent);

#endif
