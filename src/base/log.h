/*
 * Structured logs on stderr: one line for each event, as text for people or as JSON for machines
 * (one object a line, with ts, level, event, msg and the fields). Any thread may log. A line is one
 * write(2) of at most 4096 bytes, and a line that was cut says so. After log_start() no thread
 * ever waits for whoever reads: lines are dropped, counted, and the next one says how many. Fields
 * carry entity ids, queue names, SQLSTATEs, counts and JSON paths, never payload values. Where the
 * journal of systemd reads, each line begins with its priority, <3> to <7>, which it strips.
 *
 *     log_event(LOG_INFO, "consuming", "the queue is being consumed",
 *               LOG_TEXT("queue", name), LOG_NUMBER("prefetch", 500));
 */
#ifndef KOPRU_BASE_LOG_H
#define KOPRU_BASE_LOG_H

#include "base/error.h"
#include "base/slice.h"

#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format {
    LOG_FORMAT_AUTO, /* text on a terminal, else JSON */
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
};

struct log_field {
    const char *name; /* snake_case; NULL ends the list */
    bool is_number;
    int64_t number;
    struct slice text; /* the field is left out if data is NULL */
};

#define LOG_TEXT(name, value) ((struct log_field){ (name), false, 0, slice_of(value) })
#define LOG_SLICE(name, value) ((struct log_field){ (name), false, 0, (value) })
#define LOG_NUMBER(name, value) ((struct log_field){ (name), true, (int64_t)(value), { NULL, 0 } })

/* Until this is called the level is info and the format auto. */
void log_configure(enum log_level level, enum log_format format);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const char *message,
               const struct log_field *fields);

#define log_event(level, event, message, ...)                                                      \
    log_write((level), (event), (message),                                                         \
              (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })

/* Logs an error value: its what is the message, and subject, why and hint are fields. */
void log_error(enum log_level level, const char *event, const struct error *err,
               const struct log_field *fields);

/* Adds lines as they are, whatever the level; it only says their priority in the journal. Each ends
   with a line feed. */
void log_text(enum log_level level, const char *text);

/* From here on a thread of its own writes to standard error. Call it once, with the signals blocked
   that the thread shall not get. Returns 0, or -1 with an error of kind ERROR_INTERNAL when the
   system refuses a thread. */
int log_start(struct error *err);

/* Waits until everything is written, at most this long. Without log_start() it does nothing. */
void log_flush(int timeout_ms);

/* Waits a second at most until everything is written. Call it before the process ends, however it
   ends; what is logged after it is dropped. Without log_start() it does nothing. */
void log_stop(void);

/* How many lines were dropped since log_start(). */
uint64_t log_dropped_lines(void);

/* Returns the name that the configuration uses: "error", "warning", "info" or "debug". */
const char *log_level_name(enum log_level level);

#endif
