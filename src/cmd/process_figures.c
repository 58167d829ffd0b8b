#include "cmd/process_figures.h"

#include "base/log.h"
#include "base/proc_stat.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/*
 * The kernel gives the start of a process in ticks since boot, and Prometheus wants a time of the
 * wall clock. The time of boot is taken as the difference of the two clocks now, with the boot
 * clock that also counts while the machine sleeps.
 */

static double seconds_of(clockid_t clock)
{
    struct timespec now = { 0 };

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void read_memory(struct process_figures *figures)
{
    long long total = 0;
    long long resident = 0;
    int64_t page = sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL)
        return;
    if (fscanf(file, "%lld %lld", &total, &resident) == 2) {
        figures->virtual_bytes = total * page;
        figures->resident_bytes = resident * page;
    }
    fclose(file);
}

static int64_t count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int64_t count = -1; /* the directory's own descriptor is not counted */
    const struct dirent *entry;

    if (directory == NULL)
        return 0;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

void process_figures_read(struct process_figures *figures)
{
    struct rlimit limit = { 0 };
    struct proc_stat own;

    *figures = (struct process_figures){ .cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID),
                                         .open_fds = count_fds(),
                                         .log_lines_dropped = log_dropped_lines() };
    if (proc_stat_read(0, &own))
        figures->start_time_s = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) +
                                (double)own.start_ticks / (double)sysconf(_SC_CLK_TCK);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        figures->max_fds = (int64_t)limit.rlim_cur;
    read_memory(figures);
}
