#include "cmd/metrics.h"

#include "base/utf8.h"

#include <stddef.h>

/*
 * Prometheus wants all samples of a metric together, so the table is walked metric by metric and
 * each metric queue by queue. The text is written here and not by a client library: such a library
 * keeps counters of its own, and the bridge's would have to be copied into them. A row of the table
 * names a field of the status by its offset, so that a new metric is one row, with the type of the
 * field beside it.
 */

#define COUNTER "counter"
#define GAUGE "gauge"

/* How a field of a status becomes a number in base units. */
enum field_kind {
    FIELD_COUNT,     /* uint64_t */
    FIELD_U32,       /* uint32_t */
    FIELD_SIZE,      /* size_t */
    FIELD_SIGNED,    /* int64_t */
    FIELD_INT,       /* int */
    FIELD_BOOL,      /* bool: 1 or 0 */
    FIELD_CONSUMING, /* enum consumer_stage: 1 while consuming */
    FIELD_MS,        /* int64_t, milliseconds: printed as seconds */
    FIELD_US,        /* int64_t, microseconds: printed as seconds */
};

struct family {
    const char *name;
    const char *type;
    const char *help;
    enum field_kind kind;
    size_t offset; /* in struct queue_status */
};

#define FIELD(field_kind, member)                                                                  \
    .kind = (field_kind), .offset = offsetof(struct queue_status, member)

static const struct family QUEUE_FAMILIES[] = {
    { "kopru_lease_held", GAUGE,
      "Whether this instance holds the lease on the queue: the right to write for it.",
      FIELD(FIELD_BOOL, lease_held) },
    { "kopru_lease_epoch", GAUGE, "Epoch of the lease that this instance holds or held last.",
      FIELD(FIELD_SIGNED, epoch) },
    { "kopru_queue_consuming", GAUGE, "Whether this instance consumes the queue.",
      FIELD(FIELD_CONSUMING, stage) },
    { "kopru_queue_consuming_changed_timestamp_seconds", GAUGE,
      "When consuming last began or ended; before that, when the daemon started.",
      FIELD(FIELD_US, stage_since_us) },
    { "kopru_queue_paused", GAUGE,
      "Whether writing waits until somebody changes something in the database.",
      FIELD(FIELD_BOOL, paused) },
    { "kopru_queue_writers", GAUGE, "Writers of the queue.", FIELD(FIELD_INT, writers) },
    { "kopru_queue_writers_busy", GAUGE, "Writers that have a batch.",
      FIELD(FIELD_INT, writers_busy) },
    { "kopru_queue_writers_failing", GAUGE,
      "Writers that have been unable to commit for longer than a conflict lasts.",
      FIELD(FIELD_INT, writers_failing) },
    { "kopru_breaker_open", GAUGE,
      "Whether nothing is written because the database refused too many messages.",
      FIELD(FIELD_BOOL, breaker.open) },
    { "kopru_breaker_refused_messages", GAUGE,
      "Messages in the breaker's window that the database refused.",
      FIELD(FIELD_SIZE, breaker.refused) },
    { "kopru_breaker_openings_total", COUNTER, "Times the breaker opened.",
      FIELD(FIELD_COUNT, breaker.openings) },
    { "kopru_quarantined_entities", GAUGE, "Entities that fail alone and are quarantined.",
      FIELD(FIELD_SIZE, quarantine.entities) },
    { "kopru_quarantined_messages", GAUGE,
      "Messages that wait because their entity is quarantined.",
      FIELD(FIELD_SIZE, quarantine.messages) },
    { "kopru_quarantine_rejected_total", COUNTER,
      "Messages that became dead letters because they kept failing with an error that has no rule "
      "while others committed.",
      FIELD(FIELD_COUNT, quarantine_rejected) },
    { "kopru_unacknowledged_messages", GAUGE, "Messages delivered and not yet acknowledged.",
      FIELD(FIELD_COUNT, unacknowledged_messages) },
    { "kopru_unacknowledged_bytes", GAUGE,
      "Memory of the messages delivered and not yet acknowledged.",
      FIELD(FIELD_COUNT, unacknowledged_bytes) },
    { "kopru_unacknowledged_oldest_age_seconds", GAUGE,
      "Time since the oldest unacknowledged message was delivered.",
      FIELD(FIELD_MS, oldest_age_ms) },
    { "kopru_last_message_timestamp_seconds", GAUGE,
      "When the last message was delivered; 0 if none was.", FIELD(FIELD_US, last_message_us) },
    { "kopru_last_commit_timestamp_seconds", GAUGE,
      "When the last transaction was committed; 0 if none was.", FIELD(FIELD_US, last_commit_us) },
    { "kopru_messages_delivered_total", COUNTER,
      "Messages delivered by the broker, redeliveries included.", FIELD(FIELD_COUNT, delivered) },
    { "kopru_messages_committed_total", COUNTER,
      "Messages whose effect is committed, dead letters included.", FIELD(FIELD_COUNT, committed) },
    { "kopru_messages_near_delivery_limit_total", COUNTER,
      "Messages delivered that had come back to a quorum queue so often that it may soon drop "
      "them.",
      FIELD(FIELD_COUNT, near_limit) },
    { "kopru_unacknowledged_returns", GAUGE,
      "How often messages came back to a quorum queue (x-delivery-count), the highest of the "
      "unacknowledged ones.",
      FIELD(FIELD_U32, returns) },
    { "kopru_messages_stale_total", COUNTER,
      "Late messages that changed nothing because a newer state was there.",
      FIELD(FIELD_COUNT, stale) },
    { "kopru_messages_late_total", COUNTER,
      "Messages that may have come behind newer ones: returned out of order by the broker, or "
      "shown "
      "by a header or by their priority.",
      FIELD(FIELD_COUNT, late) },
    { "kopru_timestamps_out_of_range_total", COUNTER,
      "AMQP timestamps that count as absent: before 2000, or more than an hour ahead.",
      FIELD(FIELD_COUNT, timestamps_out_of_range) },
    { "kopru_timestamps_missing_total", COUNTER,
      "Messages that may be late and have no AMQP timestamp to compare, so they were applied.",
      FIELD(FIELD_COUNT, timestamps_missing) },
    { "kopru_values_misfit_total", COUNTER,
      "Values of committed messages that did not fit their column and are kept in extra.",
      FIELD(FIELD_COUNT, misfits) },
    { "kopru_elements_broken_total", COUNTER,
      "Array elements of committed messages that became no row and are kept in extra.",
      FIELD(FIELD_COUNT, broken) },
    { "kopru_messages_unmapped_total", COUNTER,
      "Messages delivered of which nothing but the id is in the entity file.",
      FIELD(FIELD_COUNT, mapping.unmapped) },
    { "kopru_messages_other_case_total", COUNTER,
      "Messages delivered with a name that differs from one of the entity file by its letter case "
      "alone.",
      FIELD(FIELD_COUNT, mapping.other_case) },
    { "kopru_paths_unmatched", GAUGE,
      "Paths of the entity file at which none of 100 or more messages had anything.",
      FIELD(FIELD_SIZE, mapping.unmatched) },
    { "kopru_roots_written_total", COUNTER, "Root rows inserted or updated.",
      FIELD(FIELD_COUNT, roots_written) },
    { "kopru_transactions_committed_total", COUNTER, "Transactions committed.",
      FIELD(FIELD_COUNT, transactions) },
    { "kopru_transactions_unreplicated_total", COUNTER,
      "Transactions committed without the synchronous standby, because somebody ended the wait for "
      "it.",
      FIELD(FIELD_COUNT, unreplicated) },
    { "kopru_transactions_refused_total", COUNTER,
      "Transactions that the database refused for a value in them.", FIELD(FIELD_COUNT, refusals) },
    { "kopru_transactions_retried_total", COUNTER,
      "Transactions that failed for a reason outside their messages.",
      FIELD(FIELD_COUNT, retries) },
    { "kopru_broker_reconnects_total", COUNTER, "Subscriptions that began after the first.",
      FIELD(FIELD_COUNT, reconnects) },
    { "kopru_broker_stalled_total", COUNTER,
      "Subscriptions that ended because messages were ready and none was delivered.",
      FIELD(FIELD_COUNT, stalled) },
    { "kopru_broker_calls_interrupted_total", COUNTER,
      "Calls to the broker that did not return and were interrupted.",
      FIELD(FIELD_COUNT, interrupted) },
    { "kopru_queue_prefetch_messages", GAUGE,
      "Messages that the broker may deliver before the first is acknowledged, as last requested.",
      FIELD(FIELD_INT, prefetch) },
    { "kopru_queue_other_consumers", GAUGE,
      "Other clients that consume the queue as well, and take a part of its messages.",
      FIELD(FIELD_INT, other_consumers) },
    { "kopru_broker_errors_total", COUNTER, "Subscriptions that could not begin or had to end.",
      FIELD(FIELD_COUNT, broker_error.count) },
};

static void print_header(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Label values are UTF-8, and three characters of them are escaped. If a value is not UTF-8, its
   bytes beyond ASCII are printed in hexadecimal. */
static void print_label_value(struct buffer *out, const char *value)
{
    bool valid = utf8_is_valid(slice_of(value));

    buffer_append_byte(out, '"');
    for (const char *at = value; *at != '\0'; at++) {
        if (!valid && (unsigned char)*at >= 0x80)
            buffer_append_format(out, "%%%02X", (unsigned char)*at);
        else if (*at == '\n')
            buffer_append_text(out, "\\n");
        else if (*at == '"' || *at == '\\')
            buffer_append_format(out, "\\%c", *at);
        else
            buffer_append_byte(out, *at);
    }
    buffer_append_byte(out, '"');
}

static void print_field(struct buffer *out, enum field_kind kind, const void *field)
{
    switch (kind) {
    case FIELD_COUNT:
        buffer_append_format(out, "%llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case FIELD_U32:
        buffer_append_format(out, "%u", *(const uint32_t *)field);
        break;
    case FIELD_SIZE:
        buffer_append_format(out, "%zu", *(const size_t *)field);
        break;
    case FIELD_SIGNED:
        buffer_append_format(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case FIELD_INT:
        buffer_append_format(out, "%d", *(const int *)field);
        break;
    case FIELD_BOOL:
        buffer_append_format(out, "%d", *(const bool *)field ? 1 : 0);
        break;
    case FIELD_CONSUMING:
        buffer_append_format(out, "%d",
                             *(const enum consumer_stage *)field == STAGE_CONSUMING ? 1 : 0);
        break;
    case FIELD_MS:
        buffer_append_format(out, "%.3f", (double)*(const int64_t *)field / 1e3);
        break;
    case FIELD_US:
        buffer_append_format(out, "%.6f", (double)*(const int64_t *)field / 1e6);
        break;
    }
}

static void print_queue_family(struct buffer *out, const struct bridge_status *status,
                               const struct family *family)
{
    print_header(out, family->name, family->type, family->help);
    for (size_t i = 0; i < status->queue_count; i++) {
        const struct queue_status *queue = &status->queues[i];

        buffer_append_format(out, "%s{queue=", family->name);
        print_label_value(out, queue->queue);
        buffer_append_text(out, "} ");
        print_field(out, family->kind, (const char *)queue + family->offset);
        buffer_append_byte(out, '\n');
    }
}

/* Every reason is printed from the start, so that rate() counts the first dead letter of a reason,
   too. */
static void print_dead_letters(struct buffer *out, const struct bridge_status *status)
{
    print_header(out, "kopru_dead_letters_total", COUNTER, "Messages that became dead letters.");
    for (size_t i = 0; i < status->queue_count; i++) {
        for (size_t reason = 0; reason < REFUSAL_REASON_COUNT; reason++) {
            buffer_append_text(out, "kopru_dead_letters_total{queue=");
            print_label_value(out, status->queues[i].queue);
            buffer_append_format(out, ",reason=\"%s\"} %llu\n",
                                 refusal_reason_name((enum refusal_reason)reason),
                                 (unsigned long long)status->queues[i].dead_letters[reason]);
        }
    }
}

static void print_number(struct buffer *out, const char *name, const char *type, const char *help,
                         double value, int decimals)
{
    print_header(out, name, type, help);
    buffer_append_format(out, "%s %.*f\n", name, decimals, value);
}

/* All but the first are names that every Prometheus client library uses. */
static void print_process(struct buffer *out, const struct process_figures *process)
{
    print_number(out, "kopru_log_lines_dropped_total", COUNTER,
                 "Log lines that standard error did not take, or not fast enough.",
                 (double)process->log_lines_dropped, 0);
    print_number(out, "process_start_time_seconds", GAUGE, "When the process started.",
                 process->start_time_s, 2);
    print_number(out, "process_cpu_seconds_total", COUNTER, "User and system CPU time.",
                 process->cpu_s, 3);
    print_number(out, "process_resident_memory_bytes", GAUGE, "Resident memory.",
                 (double)process->resident_bytes, 0);
    print_number(out, "process_virtual_memory_bytes", GAUGE, "Virtual memory.",
                 (double)process->virtual_bytes, 0);
    print_number(out, "process_open_fds", GAUGE, "Open file descriptors.",
                 (double)process->open_fds, 0);
    print_number(out, "process_max_fds", GAUGE, "File descriptors that may be open.",
                 (double)process->max_fds, 0);
}

void metrics_print(const struct bridge_status *status, const struct process_figures *process,
                   const char *version, const char *revision, struct buffer *out)
{
    print_header(out, "kopru_build_info", GAUGE,
                 "The release that is running, and the revision of its sources; always 1.");
    buffer_append_text(out, "kopru_build_info{version=");
    print_label_value(out, version);
    buffer_append_text(out, ",revision=");
    print_label_value(out, revision);
    buffer_append_text(out, "} 1\n");
    print_number(out, "kopru_database_up", GAUGE,
                 "Whether the database was reachable and had what all queues need when it was last "
                 "checked.",
                 status->database_ok, 0);
    print_number(out, "kopru_database_reconnects_total", COUNTER,
                 "Connections of the lease keeper to the database after its first.",
                 (double)status->database_reconnects, 0);
    for (size_t i = 0; i < sizeof(QUEUE_FAMILIES) / sizeof(QUEUE_FAMILIES[0]); i++)
        print_queue_family(out, status, &QUEUE_FAMILIES[i]);
    print_dead_letters(out, status);
    print_process(out, process);
}
