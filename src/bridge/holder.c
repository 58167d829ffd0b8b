#include "bridge/holder.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One word that is the same for all processes that can see each other's ids, and for no others.
   False where the system does not tell (a sandbox may hide /proc/sys): the first namespace has the
   same number on every machine, so without the boot it says nothing. */
static bool name_world(char *out, size_t size)
{
    char boot[64] = "";
    struct stat space;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool known =
        file != NULL && fscanf(file, "%63s", boot) == 1 && stat("/proc/self/ns/pid", &space) == 0;

    if (file != NULL)
        fclose(file);
    if (known)
        snprintf(out, size, "%s/%ju", boot, (uintmax_t)space.st_ino);
    else
        snprintf(out, size, "unknown");
    return known;
}

/* Field 22 of /proc/PID/stat, in clock ticks since boot; 0 when there is no such process, or it
   ended and its parent did not ask for its status yet (a container may have nobody who does). The
   command's name, in parentheses, may hold anything. */
static unsigned long long start_of(long pid)
{
    char path[64];
    char line[1024];
    unsigned long long start = 0;
    const char *cursor;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    cursor = fgets(line, sizeof(line), file) != NULL ? strrchr(line, ')') : NULL;
    if (cursor != NULL && strncmp(cursor, ") Z", 3) == 0)
        cursor = NULL;
    for (int field = 2; cursor != NULL && field < 22; field++)
        cursor = strchr(cursor + 1, ' ');
    if (cursor == NULL || sscanf(cursor, " %llu", &start) != 1)
        start = 0;
    fclose(file);
    return start;
}

void holder_name_self(char *out, size_t size)
{
    char host[65] = "unknown";
    char world[96];

    if (gethostname(host, sizeof(host) - 1) != 0)
        snprintf(host, sizeof(host), "unknown");
    name_world(world, sizeof(world)); /* an unknown one is no more than a word for people */
    snprintf(out, size, "%s %s %ld %llu", host, world, (long)getpid(), start_of(getpid()));
}

bool holder_is_dead(const char *holder)
{
    char world[96];
    char theirs[96];
    long pid;
    unsigned long long start;

    if (sscanf(holder, "%*s %95s %ld %llu", theirs, &pid, &start) != 3)
        return false;
    return name_world(world, sizeof(world)) && strcmp(world, theirs) == 0 && start_of(pid) != start;
}

static const char *const WORDS[] = {
    [HOLDER_SILENT] = "", [HOLDER_CONSUMING] = " consuming", [HOLDER_LOST] = " lost"
};

void holder_say(char *out, size_t size, const char *name, enum holder_word word)
{
    snprintf(out, size, "%s%s", name, WORDS[word]);
}

enum holder_word holder_said(const char *holder)
{
    const char *last = strrchr(holder, ' ');

    if (last != NULL && strcmp(last, WORDS[HOLDER_CONSUMING]) == 0)
        return HOLDER_CONSUMING;
    return last != NULL && strcmp(last, WORDS[HOLDER_LOST]) == 0 ? HOLDER_LOST : HOLDER_SILENT;
}

bool holder_is(const char *holder, const char *name)
{
    size_t len = strlen(name);

    return strncmp(holder, name, len) == 0 && strcmp(holder + len, WORDS[holder_said(holder)]) == 0;
}
