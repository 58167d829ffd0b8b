/*
 * Problems and warnings are collected by area and printed at the end, because a check that stops at
 * the first problem costs the operator one run for each. Both forms are made from the same lists.
 * The exit status is the first of 78, 69, 77 and 1 that applies, in the order in which an operator
 * has to act: a wrong configuration makes what the servers answered worthless, and a server that
 * cannot be reached hides missing privileges.
 */
#include "cmd/check_report.h"

#include "base/json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SUMMARY_MAX_BYTES = 16384 };

void check_report_init(struct check_report *report)
{
    memset(report, 0, sizeof(*report));
    for (size_t i = 0; i < CHECK_AREAS; i++) {
        buffer_init(&report->sections[i].summary, SUMMARY_MAX_BYTES);
        error_list_init(&report->sections[i].problems);
        error_list_init(&report->sections[i].warnings);
    }
}

void check_report_release(struct check_report *report)
{
    for (size_t i = 0; i < CHECK_AREAS; i++) {
        buffer_release(&report->sections[i].summary);
        error_list_release(&report->sections[i].problems);
        error_list_release(&report->sections[i].warnings);
    }
}

static bool has_kind(const struct check_report *report, enum error_kind kind)
{
    for (size_t i = 0; i < CHECK_AREAS; i++)
        for (size_t k = 0; k < report->sections[i].problems.count; k++)
            if (report->sections[i].problems.items[k].kind == kind)
                return true;
    return false;
}

int check_report_status(const struct check_report *report)
{
    static const enum error_kind order[] = { ERROR_CONFIG, ERROR_UNAVAILABLE, ERROR_PERMISSION };

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (has_kind(report, order[i]))
            return (int)order[i];
    for (size_t i = 0; i < CHECK_AREAS; i++)
        if (report->sections[i].problems.count > 0)
            return ERROR_PROBLEMS;
    return 0;
}

const char *check_area_name(enum check_area area)
{
    static const char *const names[CHECK_AREAS] = {
        [CHECK_CONFIGURATION] = "configuration",
        [CHECK_BROKER] = "broker",
        [CHECK_DATABASE] = "database",
    };

    return names[area];
}

static void text_of_findings(const char *label, const struct error_list *list, struct buffer *out)
{
    for (size_t i = 0; i < list->count; i++) {
        struct error finding = list->items[i];
        char text[sizeof(finding)];

        finding.hint[0] = '\0';
        buffer_append_format(out, "  %s: %s\n", label, error_text(&finding, text, sizeof(text)));
        if (list->items[i].hint[0] != '\0')
            buffer_append_format(out, "    hint: %s\n", list->items[i].hint);
    }
}

static const char *section_verdict(const struct check_section *section, char *out, size_t size)
{
    size_t problems = section->problems.count;
    size_t warnings = section->warnings.count;

    if (problems == 0 && section->skipped)
        return "skipped";
    if (problems == 0 && warnings == 0)
        return "ok";
    if (problems > 0)
        snprintf(out, size, "%zu problem%s", problems, problems == 1 ? "" : "s");
    else
        snprintf(out, size, "ok, %zu warning%s", warnings, warnings == 1 ? "" : "s");
    return out;
}

static const char *summary_text(const struct check_section *section)
{
    return section->summary.len > 0 ? section->summary.data : "";
}

static double mib(int64_t bytes)
{
    return (double)bytes / (1 << 20);
}

void check_report_text(const struct check_report *report, struct buffer *out)
{
    const struct memory_bound *memory = &report->memory;

    for (size_t i = 0; i < CHECK_AREAS; i++) {
        const struct check_section *section = &report->sections[i];
        char verdict[64];

        buffer_append_format(out, "%-13s  %s%s%s\n", check_area_name((enum check_area)i),
                             section_verdict(section, verdict, sizeof(verdict)),
                             section->summary.len > 0 ? ": " : "", summary_text(section));
        text_of_findings("problem", &section->problems, out);
        text_of_findings("warning", &section->warnings, out);
    }
    if (report->has_memory)
        buffer_append_format(
            out,
            "%-13s  at most %.0f MiB: %.0f MiB fixed + %zu queue%s x (%.1f MiB unacknowledged + "
            "3 x %.0f MiB, the largest message RabbitMQ admits by default) + %" PRId64
            " writer%s x %.0f MiB\n",
            "memory", mib(memory->total_bytes), mib(memory->fixed_bytes), memory->queue_count,
            memory->queue_count == 1 ? "" : "s", mib(memory->unacknowledged_bytes),
            mib(memory->largest_message_bytes), memory->writer_count,
            memory->writer_count == 1 ? "" : "s", mib(memory->writer_bytes));
}

static void json_of_findings(struct json_out *json, const char *name,
                             const struct check_report *report, bool warnings)
{
    json_out_array(json, name);
    for (size_t i = 0; i < CHECK_AREAS; i++) {
        const struct error_list *list =
            warnings ? &report->sections[i].warnings : &report->sections[i].problems;

        for (size_t k = 0; k < list->count; k++) {
            json_out_object(json, NULL);
            json_out_text(json, "area", check_area_name((enum check_area)i));
            json_out_text(json, "what", list->items[k].what);
            json_out_text(json, "subject", list->items[k].subject);
            json_out_text(json, "why", list->items[k].why);
            json_out_text(json, "hint", list->items[k].hint);
            if (!warnings)
                json_out_integer(json, "status", list->items[k].kind);
            json_out_end(json);
        }
    }
    json_out_end(json);
}

static void json_of_memory(struct json_out *json, const struct memory_bound *memory)
{
    json_out_object(json, "memory");
    json_out_integer(json, "total_bytes", memory->total_bytes);
    json_out_integer(json, "fixed_bytes", memory->fixed_bytes);
    json_out_integer(json, "queues", (int64_t)memory->queue_count);
    json_out_integer(json, "unacknowledged_bytes_per_queue", memory->unacknowledged_bytes);
    json_out_integer(json, "largest_message_bytes", memory->largest_message_bytes);
    json_out_integer(json, "writers", memory->writer_count);
    json_out_integer(json, "bytes_per_writer", memory->writer_bytes);
    json_out_end(json);
}

int check_report_json(const struct check_report *report, struct buffer *out)
{
    struct json_out *json = json_out_new();
    int result;

    json_out_object(json, NULL);
    json_out_integer(json, "status", check_report_status(report));
    json_out_array(json, "areas");
    for (size_t i = 0; i < CHECK_AREAS; i++) {
        const struct check_section *section = &report->sections[i];

        json_out_object(json, NULL);
        json_out_text(json, "area", check_area_name((enum check_area)i));
        json_out_text(json, "result",
                      section->problems.count > 0 ? "problems"
                      : section->skipped          ? "skipped"
                                                  : "ok");
        json_out_text(json, "summary", summary_text(section));
        json_out_end(json);
    }
    json_out_end(json);
    json_of_findings(json, "problems", report, false);
    json_of_findings(json, "warnings", report, true);
    if (report->has_memory)
        json_of_memory(json, &report->memory);
    json_out_end(json);
    result = json_out_print(json, JSON_OUT_PRETTY, out);
    json_out_free(json);
    return result;
}
