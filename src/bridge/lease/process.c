#include "bridge/lease/process.h"

#include "base/proc_stat.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLACE_MAX_BYTES = 64 + 36 + 20 + 20 + sizeof(" // ") };

static bool read_boot(char boot[37])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool known = file != NULL && fscanf(file, "%36s", boot) == 1;

    if (file != NULL)
        fclose(file);
    return known;
}

/* optional: older kernels have no such namespaces; the inode is 0 then. */
static bool read_namespace(const char *path, bool optional, uintmax_t *inode)
{
    struct stat space = { 0 };

    if (stat(path, &space) != 0 && !(optional && errno == ENOENT))
        return false;
    *inode = space.st_ino;
    return true;
}

/* Writes words, with a space behind each, that are the same for all processes that can see each
   other's ids and start times, and for no others. Returns false where the system does not tell (a
   sandbox may hide /proc/sys): the first namespaces have the same inodes on every machine, so
   without the boot they say nothing. A machine that was copied while it ran has the same boot, too;
   its copy mostly has another host name. */
static bool name_place(char *out, size_t size)
{
    char host[65] = "unknown";
    char boot[37] = "";
    uintmax_t ids = 0;
    uintmax_t times = 0;
    bool known = gethostname(host, sizeof(host) - 1) == 0 && read_boot(boot) &&
                 read_namespace("/proc/self/ns/pid", false, &ids) &&
                 read_namespace("/proc/self/ns/time", true, &times);

    if (known)
        snprintf(out, size, "%s %s/%ju/%ju ", host, boot, ids, times);
    else
        snprintf(out, size, "%s unknown ", host);
    return known;
}

void process_identify(struct lease_holder *self)
{
    char host[65] = "unknown";
    char place[PLACE_MAX_BYTES];
    struct proc_stat own = { 0 };

    if (gethostname(host, sizeof(host) - 1) != 0)
        snprintf(host, sizeof(host), "unknown");
    name_place(place, sizeof(place)); /* if it is unknown, no process takes this one for dead */
    if (!proc_stat_read(0, &own))
        own.start_ticks = 0;
    snprintf(self->name, sizeof(self->name), "%s %ld", host, (long)getpid());
    snprintf(self->instance, sizeof(self->instance), "%s%ld %llu", place, (long)getpid(),
             own.start_ticks);
}

/* Whether /proc counts the ids as this process does: it may have been mounted for another
   namespace. */
static bool proc_counts_our_ids(void)
{
    char target[32] = "";

    return readlink("/proc/self", target, sizeof(target) - 1) > 0 &&
           strtol(target, NULL, 10) == (long)getpid();
}

/* Whether the process that has this id now is another one, or has ended. */
static bool has_ended(long pid, unsigned long long start)
{
    struct proc_stat now;

    if (start == 0 || !proc_counts_our_ids() || !proc_stat_read(pid, &now))
        return false;
    return now.start_ticks != start || (now.state == 'Z' && now.threads <= 1);
}

bool process_is_dead(const char *instance)
{
    char place[PLACE_MAX_BYTES];
    long pid;
    unsigned long long start;

    if (!name_place(place, sizeof(place)) || strncmp(instance, place, strlen(place)) != 0 ||
        sscanf(instance + strlen(place), "%ld %llu", &pid, &start) != 2 || pid <= 0 ||
        pid > INT_MAX)
        return false;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return true;
    return has_ended(pid, start);
}
