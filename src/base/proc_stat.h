/* What Linux tells about a process in /proc/PID/stat. */
#ifndef KOPRU_BASE_PROC_STAT_H
#define KOPRU_BASE_PROC_STAT_H

/*
 * When the process began, in clock ticks since the machine booted: field 22 of the file, and
 * sysconf(_SC_CLK_TCK) ticks are a second. Process ids are used again; the pair of id and start is
 * not, within one boot. pid 0 stands for the calling process.
 *
 * Returns 0 when there is no such process, when it is a zombie (it has ended, but its parent has
 * not waited for it, and in a container perhaps nobody ever does), and when the file cannot be
 * read. The name of the command, field 2, may hold spaces, parentheses and line feeds.
 */
unsigned long long proc_stat_start_ticks(long pid);

#endif
