/*
 * The status as Prometheus reads it: text format 0.0.4. One table has every metric with its type,
 * its help and the field that it shows. The only labels are queue and reason, and those of
 * kopru_build_info; no value of a payload appears.
 */
#ifndef KOPRU_CMD_METRICS_H
#define KOPRU_CMD_METRICS_H

#include "base/buffer.h"
#include "bridge/observe/status.h"
#include "cmd/process_figures.h"

/* Prometheus 3 refuses any other content type. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_print(const struct bridge_status *status, const struct process_figures *process,
                   const char *version, const char *revision, struct buffer *out);

#endif
