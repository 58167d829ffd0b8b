/*
 * A typed view of one libconfig file with its includes, for kopru.cfg and the entity files. Nothing
 * stops at the first problem: each one goes, with its file:line, into the list given to cfg_open(),
 * and the lookup that met it returns false. What libconfig alone would read wrongly is refused, see
 * config/cfg_text.h: an integer of more than 32 bits without the suffix L, for example. `@include
 * "name"` starts from the directory of the file that is opened.
 *
 *     struct cfg_file *file = cfg_open(path, &problems);
 *     if (file == NULL)
 *         return -1;
 *     struct cfg root = cfg_root(file);
 *     cfg_known(root, (const char *const[]){ "entity", "key", "columns", NULL });
 *     cfg_need_string(root, "entity", &name);
 *     struct cfg columns = cfg_list(root, "columns");
 *     for (size_t i = 0; i < cfg_count(columns); i++)
 *         read_column(cfg_item_group(columns, i));
 *     failed = cfg_failed(file);
 *     cfg_close(file);
 *
 * Strings are UTF-8 without control characters other than tab. They belong to the file: copy what
 * must outlive cfg_close(). Every lookup accepts a group that is absent, such as one that
 * cfg_group() did not find, and finds nothing in it.
 */
#ifndef KOPRU_CONFIG_CFG_H
#define KOPRU_CONFIG_CFG_H

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfg_file;
struct config_setting_t;

/* A setting of a file: a group, a list, an array or a scalar. Passed by value; setting is NULL if
   there is no such setting. */
struct cfg {
    struct cfg_file *file;
    const struct config_setting_t *setting;
};

enum cfg_type { CFG_NONE, CFG_GROUP, CFG_LIST, CFG_INTEGER, CFG_FLOAT, CFG_STRING, CFG_BOOL };

/* Returns NULL if the file cannot be read or parsed, with the problems added (kind ERROR_CONFIG).
   problems must outlive the file. */
struct cfg_file *cfg_open(const char *path, struct error_list *problems);
void cfg_close(struct cfg_file *file);

/* Whether there was any problem, including one that was not listed for want of memory. */
bool cfg_failed(const struct cfg_file *file);

/* Everything that the file and its includes say, without comments and layout, for a digest. The
   caller frees it. NULL when there is no memory. */
char *cfg_contents(const struct cfg_file *file);

/* Returns a path as seen from the directory of the file, and an absolute path as it is. The caller
   frees it. NULL when there is no memory. */
char *cfg_resolve(const struct cfg_file *file, const char *path);

struct cfg cfg_root(struct cfg_file *file);

/* The member of that name, of any type. */
struct cfg cfg_get(struct cfg group, const char *key);

/* CFG_LIST for lists (...) and arrays [...] alike; CFG_NONE where there is no setting. */
enum cfg_type cfg_type(struct cfg setting);

static inline bool cfg_exists(struct cfg setting)
{
    return setting.setting != NULL;
}

/* Whether every user of the machine may read the file that the setting stands in, be it an
   include. */
bool cfg_is_world_readable(struct cfg setting);

/* A member that must be a group, or a list or array. One of another type counts as absent, with a
   problem added. */
struct cfg cfg_group(struct cfg group, const char *key);
struct cfg cfg_list(struct cfg group, const char *key);

/* The number of elements of a list or array, or of members of a group; 0 if it is absent. */
size_t cfg_count(struct cfg list);
struct cfg cfg_item(struct cfg list, size_t index);

/* An element that must be a group. One of another type counts as absent, with a problem added. */
struct cfg cfg_item_group(struct cfg list, size_t index);

/* The name of a group's member; NULL for an element of a list. */
const char *cfg_name(struct cfg setting);

/* Scalars by key. Returns true with *out filled if the member is there and right. Returns false and
   leaves *out alone if it is absent, and also, with a problem added, if it is of another type, out
   of range or not valid text. An integer never counts as a float or a bool, nor the reverse. */
bool cfg_string(struct cfg group, const char *key, const char **out);
bool cfg_bool(struct cfg group, const char *key, bool *out);
bool cfg_int(struct cfg group, const char *key, int min, int max, int *out);
bool cfg_int64(struct cfg group, const char *key, int64_t min, int64_t max, int64_t *out);

/* A string that must be one of names, which end with NULL; *out is its index. */
bool cfg_choice(struct cfg group, const char *key, const char *const *names, int *out);

/* A string that must be there and must not be empty. */
bool cfg_need_string(struct cfg group, const char *key, const char **out);

/* The same for a setting that the caller has already, such as an element of a list. */
bool cfg_as_string(struct cfg setting, const char **out);
bool cfg_as_bool(struct cfg setting, bool *out);
bool cfg_as_int64(struct cfg setting, int64_t min, int64_t max, int64_t *out);
bool cfg_as_number(struct cfg setting, double *out); /* an integer or a float */
bool cfg_as_choice(struct cfg setting, const char *const *names, int *out);

/* Adds a problem for each member of group that is none of keys, which end with NULL. The hint names
   the nearest key. */
void cfg_known(struct cfg group, const char *const *keys);

/* Adds a problem with a setting, at its file:line: `invalid setting limits.max_depth
   "kopru.cfg:12": why (hint: ...)`. hint may be NULL. The text must never hold the value of a
   secret. */
void cfg_problem(struct cfg setting, const char *hint, const char *why_format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a member that is missing. The problem names its key and the line of the group. */
void cfg_missing(struct cfg group, const char *key, const char *hint);

/* Writes the `file:line` of a setting into out. Returns out. */
char *cfg_location(struct cfg setting, char *out, size_t size);

#endif
