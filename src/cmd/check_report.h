/*
 * What `kopru check` found, and its two forms on stdout: for people and as JSON.
 */
#ifndef KOPRU_CMD_CHECK_REPORT_H
#define KOPRU_CMD_CHECK_REPORT_H

#include "base/buffer.h"
#include "base/error.h"
#include "cmd/memory.h"

enum check_area { CHECK_CONFIGURATION, CHECK_BROKER, CHECK_DATABASE, CHECK_AREAS };

struct check_section {
    bool skipped;
    struct buffer summary;      /* what was checked, or why it was skipped */
    struct error_list problems; /* each makes the check fail */
    struct error_list warnings; /* findings that weaken a promise; they do not count */
};

struct check_report {
    struct check_section sections[CHECK_AREAS];
    bool has_memory;
    struct amqp_broker broker; /* zeroed if it was not asked */
    struct memory_bound memory;
};

void check_report_init(struct check_report *report);
void check_report_release(struct check_report *report);

/* Returns the exit status: the first that applies of 78, 69, 77, 1, 0. */
int check_report_status(const struct check_report *report);

/* Returns "configuration", "broker" or "database". */
const char *check_area_name(enum check_area area);

/* Append the report to out: as lines for people, or as one JSON object. check_report_json() returns
   -1 when there is no memory. */
void check_report_text(const struct check_report *report, struct buffer *out);
int check_report_json(const struct check_report *report, struct buffer *out);

#endif
