#include "base/proc_stat.h"

#include <stdio.h>
#include <string.h>

/* Of the fields, which proc(5) counts from 1. */
enum { STATE = 3, THREADS = 20, START = 22 };

/* Returns what follows the space before a field, or NULL. after_name: the space after field 2. */
static const char *find_field(const char *after_name, int field)
{
    const char *cursor = after_name;

    for (int at = STATE; cursor != NULL && at < field; at++)
        cursor = strchr(cursor + 1, ' ');
    return cursor != NULL && *cursor == ' ' ? cursor + 1 : NULL;
}

static bool read_fields(const char *text, struct proc_stat *stat)
{
    /* Field 2 ends at the last parenthesis: what the name holds does not matter then. */
    const char *name_end = strrchr(text, ')');
    const char *state = name_end != NULL ? find_field(name_end + 1, STATE) : NULL;
    const char *threads = state != NULL ? find_field(state - 1, THREADS) : NULL;
    const char *start = state != NULL ? find_field(state - 1, START) : NULL;

    if (threads == NULL || start == NULL)
        return false;
    stat->state = *state;
    return sscanf(threads, "%ld ", &stat->threads) == 1 &&
           sscanf(start, "%llu ", &stat->start_ticks) == 1;
}

bool proc_stat_read(long pid, struct proc_stat *stat)
{
    char path[64] = "/proc/self/stat";
    char text[1024];
    FILE *file;

    if (pid != 0)
        snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return read_fields(text, stat);
}
