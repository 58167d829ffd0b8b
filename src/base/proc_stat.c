#include "base/proc_stat.h"

#include <stdio.h>
#include <string.h>

enum { START = 22 }; /* of the fields, which proc(5) counts from 1 */

unsigned long long proc_stat_start_ticks(long pid)
{
    char path[64] = "/proc/self/stat";
    char text[1024];
    unsigned long long start = 0;
    const char *cursor;
    FILE *file;

    if (pid != 0)
        snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    /* Field 2 ends at the last parenthesis: what the name holds does not matter then. */
    cursor = strrchr(text, ')');
    if (cursor == NULL || strncmp(cursor, ") Z", 3) == 0)
        return 0;
    for (int field = 2; cursor != NULL && field < START; field++)
        cursor = strchr(cursor + 1, ' ');
    if (cursor == NULL || sscanf(cursor, " %llu", &start) != 1)
        return 0;
    return start;
}
