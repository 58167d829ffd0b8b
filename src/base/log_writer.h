/*
 * Takes finished lines to standard error. At first the caller writes them itself and waits as long
 * as that takes, as one-shot commands should. After log_writer_start() a thread of its own writes,
 * and nobody else ever waits for whoever reads: a line that finds no room in the queue is dropped
 * and counted, and the next line that gets through is preceded by one that says how many were.
 *
 *     log_writer_start(format_notice, &err)
 *     log_writer_put(line, len)                // from any thread
 *     ...
 *     log_writer_stop()                        // before the process ends, however it ends
 */
#ifndef KOPRU_BASE_LOG_WRITER_H
#define KOPRU_BASE_LOG_WRITER_H

#include "base/error.h"

#include <stdint.h>

enum {
    LOG_LINE_BYTES = 4096, /* PIPE_BUF: up to here a pipe takes a line whole, and never mixes it
                              with that of another process */
    LOG_QUEUE_BYTES = 256 * 1024,
    LOG_STOP_MS = 1000,
};

/* Writes the line which says that `count` lines were dropped, at most LOG_LINE_BYTES, and returns
   its length. */
typedef size_t log_notice_format(char *out, uint64_t count);

/* Returns 0, or -1 with an error of kind ERROR_INTERNAL when the system refuses a thread. */
int log_writer_start(log_notice_format *format_notice, struct error *err);

/* Waits until everything is written, at most this long. */
void log_writer_flush(int timeout_ms);

/* Waits LOG_STOP_MS at most until everything is written, and ends the thread; if standard error
   holds it up, it is left behind. What is put from here on is dropped. */
void log_writer_stop(void);

/* Takes at most LOG_LINE_BYTES, which end with a line feed and are one line. */
void log_writer_put(const char *line, size_t len);

/* How many lines were dropped since the start: for want of room, or because standard error did not
   take them. */
uint64_t log_writer_dropped(void);

#endif
