#include "config/cfg_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *cfg_path_location(const char *path, unsigned line, char *out, size_t size)
{
    size_t len = strlen(path);
    size_t room = size - sizeof("...:4294967295");

    snprintf(out, size, "%s%s:%u", len > room ? "..." : "", len > room ? path + len - room : path,
             line);
    return out;
}

char *cfg_path_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    size_t directory_len = slash == NULL || name[0] == '/' ? 0 : (size_t)(slash - path + 1);
    char *joined = malloc(directory_len + strlen(name) + 1);

    if (joined == NULL)
        return NULL;
    memcpy(joined, path, directory_len);
    memcpy(joined + directory_len, name, strlen(name) + 1);
    return joined;
}
