/* The paths of configuration files: in messages, and relative to one another. */
#ifndef KOPRU_CONFIG_CFG_PATH_H
#define KOPRU_CONFIG_CFG_PATH_H

#include <stddef.h>

/* Writes `path:line` into out, which has room for at least 64 bytes. Of a path that is too long
   only the end is written, after "...". Returns out. */
char *cfg_path_location(const char *path, unsigned line, char *out, size_t size);

/* Returns the path of name as seen from the directory that holds path: that directory, if path
   names one, followed by name; or name alone if it is absolute. The caller frees it. NULL when
   there is no memory. */
char *cfg_path_beside(const char *path, const char *name);

#endif
