/*
 * A typed view of one libconfig file, for kopru.cfg and the entity files. It reads what libconfig
 * alone would read wrongly: integers of 64 bit without a suffix, includes relative to the file that
 * includes, a missing file, a directory. Nothing stops at the first problem: every one goes, with
 * file:line, into the list given to cfg_open(), and the lookups return false.
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
 * Strings are UTF-8 without control characters other than tab, and belong to the file: copy what
 * must outlive cfg_close(). Every lookup takes an absent group (one that cfg_group() did not find,
 * say) and finds nothing in it.
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

/* A setting of a file: group, list, array or scalar. A value to pass around; setting is NULL where
   there is none. */
struct cfg {
    struct cfg_file *file;
    const struct config_setting_t *setting;
};

enum cfg_type { CFG_NONE, CFG_GROUP, CFG_LIST, CFG_INTEGER, CFG_FLOAT, CFG_STRING, CFG_BOOL };

/* NULL if the file cannot be read or parsed, with the problems added (kind ERROR_CONFIG). problems
   must outlive the file. */
struct cfg_file *cfg_open(const char *path, struct error_list *problems);
void cfg_close(struct cfg_file *file);

/* Whether any problem was met, also one that found no memory to be listed. */
bool cfg_failed(const struct cfg_file *file);

/* Everything that the file and its includes say, without comments and layout, for a digest. The
   caller frees it. NULL when there is no memory. */
char *cfg_contents(const struct cfg_file *file);

/* path as seen from the directory of the file; an absolute path as it is. The caller frees it. NULL
   when there is no memory. */
char *cfg_resolve(const struct cfg_file *file, const char *path);

struct cfg cfg_root(struct cfg_file *file);

/* The member of that name, of any type; its setting is NULL if there is none. */
struct cfg cfg_get(struct cfg group, const char *key);

/* CFG_LIST for lists (...) and arrays [...] alike; CFG_NONE where there is no setting. */
enum cfg_type cfg_type(struct cfg setting);

static inline bool cfg_exists(struct cfg setting)
{
    return setting.setting != NULL;
}

/* Whether others than owner and group may read the very file, or include, that the setting stands
   in. */
bool cfg_is_world_readable(struct cfg setting);

/* Members that must be a group or a list. Absent: the setting is NULL. Another type: the same, and
   a problem. */
struct cfg cfg_group(struct cfg group, const char *key);
struct cfg cfg_list(struct cfg group, const char *key);

/* Elements of a list or array, members of a group; 0 if it is absent. */
size_t cfg_count(struct cfg list);
struct cfg cfg_item(struct cfg list, size_t index);

/* The same, of an element that must be a group; its setting is NULL, with a problem, if it is
   something else. */
struct cfg cfg_item_group(struct cfg list, size_t index);

/* The name of a group's member; NULL for an element of a list. */
const char *cfg_name(struct cfg setting);

/* Scalars by key. True and *out filled if it is there and right. False, *out untouched, if it is
   absent; the same with a problem if it is of another type, out of range or no valid text. An
   integer is never taken for a float or a bool, or the reverse. */
bool cfg_string(struct cfg group, const char *key, const char **out);
bool cfg_bool(struct cfg group, const char *key, bool *out);
bool cfg_int(struct cfg group, const char *key, int min, int max, int *out);
bool cfg_int64(struct cfg group, const char *key, int64_t min, int64_t max, int64_t *out);

/* One of names (NULL ends them); *out is its index. */
bool cfg_choice(struct cfg group, const char *key, const char *const *names, int *out);

/* The same, where an absent or empty string is a problem. */
bool cfg_need_string(struct cfg group, const char *key, const char **out);

/* A setting in hand, such as an element of a list, read as a scalar. */
bool cfg_as_string(struct cfg setting, const char **out);
bool cfg_as_bool(struct cfg setting, bool *out);
bool cfg_as_int64(struct cfg setting, int64_t min, int64_t max, int64_t *out);
bool cfg_as_number(struct cfg setting, double *out); /* an integer or a float */
bool cfg_as_choice(struct cfg setting, const char *const *names, int *out);

/* A problem for each member of group that is none of keys (NULL ends them), with the nearest known
   key as a hint. */
void cfg_known(struct cfg group, const char *const *keys);

/* Adds a problem with a setting, at its file:line: `invalid setting limits.max_depth
   "kopru.cfg:12": why (hint: ...)`. hint may be NULL. Never put a secret's value into the text. */
void cfg_problem(struct cfg setting, const char *hint, const char *why_format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a member that is missing: named by its key, at the line of the group. */
void cfg_missing(struct cfg group, const char *key, const char *hint);

/* Writes `file:line` of the setting into out. Returns out. */
char *cfg_place(struct cfg setting, char *out, size_t size);

/* The name that is nearest to what was written, NULL if none is near. */
const char *cfg_nearest(const char *written, const char *const *names);

#endif
