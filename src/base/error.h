/*
 * Errors are values. A function that can fail returns -1 (or NULL) and fills the caller's struct
 * error; only the command prints it. An error says what failed, on what, why, and what to check.
 *
 *     struct error err;
 *     error_set(&err, ERROR_CONFIG, "cannot read the configuration", path, "%s", strerror(errno));
 *     error_hint(&err, "check the path given with --config");
 *
 * Texts are lower case without a full stop and never hold payload values. A text longer than its
 * field ends in "...".
 */
#ifndef KOPRU_BASE_ERROR_H
#define KOPRU_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* The value of each kind is the process's exit code for it (sysexits.h). */
enum error_kind {
    ERROR_NONE = 0,
    ERROR_PROBLEMS = 1,     /* a check found problems */
    ERROR_USAGE = 64,       /* the command line */
    ERROR_DATA = 65,        /* bad input data */
    ERROR_NO_INPUT = 66,    /* an input file is missing */
    ERROR_UNAVAILABLE = 69, /* the broker or the database cannot be reached */
    ERROR_INTERNAL = 70,    /* a bug, or no memory */
    ERROR_PERMISSION = 77,  /* something exists, but may not be used */
    ERROR_CONFIG = 78,      /* configuration, mapping, schema version */
};

struct error {
    enum error_kind kind;
    char what[160];    /* what failed: "cannot connect to the broker" */
    char subject[256]; /* on what: a file:line, a host, an object; "" if on nothing in particular */
    char why[512];     /* the reason, "" if unknown */
    char hint[512];    /* what to check, "" if there is nothing to say */
};

/* Fills err and clears its hint. subject may be NULL. Returns -1, so that a caller can
   `return error_set(...)`. */
int error_set(struct error *err, enum error_kind kind, const char *what, const char *subject,
              const char *why_format, ...) __attribute__((format(printf, 5, 6)));

/* Adds or replaces the hint. Returns -1. */
int error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills err with the text that every failed allocation has. Returns -1. */
int error_no_memory(struct error *err);

/* Writes `what "subject": why (hint)` into out, always NUL-terminated. Returns out. */
char *error_text(const struct error *err, char *out, size_t size);

/* A list that collects every problem of a check instead of stopping at the first. */
struct error_list {
    struct error *items;
    size_t count;
    size_t capacity;
    bool incomplete; /* there was no memory for some problems, so that an empty list does not mean
                        that there are none */
};

void error_list_init(struct error_list *list);
void error_list_release(struct error_list *list);

/* Adds a copy of err. Returns 0, or -1 when there is no memory; the list is then incomplete. */
int error_list_add(struct error_list *list, const struct error *err);

#endif
