/* What is known of the process as a whole, most of it by the operating system, in the units of the
   metrics. */
#ifndef KOPRU_CMD_PROCESS_FIGURES_H
#define KOPRU_CMD_PROCESS_FIGURES_H

#include <stdint.h>

/* A figure that cannot be read is 0. */
struct process_figures {
    double start_time_s; /* since 1970-01-01 UTC */
    double cpu_s;        /* of all threads, user and system */
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t open_fds;
    int64_t max_fds;
    uint64_t log_lines_dropped;
};

void process_figures_read(struct process_figures *figures);

#endif
