#include "bridge/lease/process.h"

#include "base/proc_stat.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes one word that is the same for all processes that can see each other's ids, and for no
   others. Returns false where the system does not tell (a sandbox may hide /proc/sys): the first
   namespace has the same number on every machine, so without the boot it says nothing. */
static bool name_namespace(char *out, size_t size)
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

void process_identify(struct lease_holder *self)
{
    char host[65] = "unknown";
    char space[96];

    if (gethostname(host, sizeof(host) - 1) != 0)
        snprintf(host, sizeof(host), "unknown");
    name_namespace(space, sizeof(space)); /* if it is unknown, no process takes this one for dead */
    snprintf(self->name, sizeof(self->name), "%s %ld", host, (long)getpid());
    snprintf(self->instance, sizeof(self->instance), "%s %s %ld %llu", host, space, (long)getpid(),
             proc_stat_start_ticks(0));
}

bool process_is_dead(const char *instance)
{
    char space[96];
    char theirs[96];
    long pid;
    unsigned long long start;

    if (sscanf(instance, "%*s %95s %ld %llu", theirs, &pid, &start) != 3)
        return false;
    return name_namespace(space, sizeof(space)) && strcmp(space, theirs) == 0 &&
           proc_stat_start_ticks(pid) != start;
}
