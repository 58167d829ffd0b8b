/* What Linux tells about a process in /proc/PID/stat. */
#ifndef KOPRU_BASE_PROC_STAT_H
#define KOPRU_BASE_PROC_STAT_H

#include <stdbool.h>

struct proc_stat {
    char state;   /* 'Z' for a zombie: the first thread has ended, and perhaps others have not */
    long threads; /* that have not ended; a zombie counts as one */
    /* When the process began, in clock ticks since the machine booted, as this time namespace
       counts them: sysconf(_SC_CLK_TCK) ticks are a second. Process ids are used again; the pair
       of id and start is not, within one boot. */
    unsigned long long start_ticks;
};

/* pid 0 stands for the calling process. Returns false when there is no such process, and also when
   the file is hidden, cannot be opened for want of a descriptor, or is not what it should be: that
   it cannot be read does not show that there is no process. The name of the command, field 2, may
   hold spaces, parentheses and line feeds. */
bool proc_stat_read(long pid, struct proc_stat *stat);

#endif
