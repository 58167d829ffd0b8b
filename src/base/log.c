/*
 * A line is put together on the stack, so that logging needs no memory, and log_writer.h takes it
 * to standard error. That gives a line a fixed size, and room for its end is kept free: a line that
 * is too long is cut inside a field and is still valid JSON, or a text whose quotes are closed.
 * Names and texts may come from outside (queues, ids, messages of a server), so every character
 * that could end the line, close a quote or steer a terminal is escaped in both formats. json-c is
 * not used: it allocates, and writes what is not UTF-8.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/journal.h"
#include "base/log_writer.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = LOG_LINE_BYTES, END_BYTES = sizeof("...\",\"cut\":true}\n") };

struct line {
    char data[LINE_BYTES];
    size_t len;
    bool json;
    bool cut; /* something did not fit, so that only the end is still added */
};

static _Atomic(enum log_level) max_level = LOG_INFO;
static _Atomic(enum log_format) output_format = LOG_FORMAT_AUTO;

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store(&max_level, level);
    atomic_store(&output_format, format);
}

bool log_enabled(enum log_level level)
{
    return level <= atomic_load(&max_level);
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_ERROR] = "error",
        [LOG_WARNING] = "warning",
        [LOG_INFO] = "info",
        [LOG_DEBUG] = "debug",
    };

    return names[level];
}

/* Adds all of the data or nothing. The room for the end of the line stays free. */
static bool put(struct line *line, const char *data, size_t len)
{
    if (line->cut || line->len + len > LINE_BYTES - END_BYTES) {
        line->cut = true;
        return false;
    }
    memcpy(line->data + line->len, data, len);
    line->len += len;
    return true;
}

static bool put_text(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

/* Adds text in the room that put() keeps free. */
static void put_end(struct line *line, const char *text)
{
    size_t len = strlen(text);

    memcpy(line->data + line->len, text, len);
    line->len += len;
}

/* Also true for U+0080 to U+009F, because terminals obey some of these. */
static bool is_control(const unsigned char *bytes, size_t len)
{
    return (len == 1 && (bytes[0] < ' ' || bytes[0] == 0x7F)) ||
           (len == 2 && bytes[0] == 0xC2 && bytes[1] < 0xA0);
}

/* Returns the number of bytes of the first character of a text that is not empty, or 0 if it does
   not begin with a character. */
static size_t character_len(struct slice text)
{
    size_t len = 1;

    while (len < 4 && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len++;
    return utf8_is_valid((struct slice){ text.data, len }) ? len : 0;
}

/* Adds one character, escaped where it could end a line or a quoted text or move a terminal's
   cursor. */
static void put_character(struct line *line, const char *bytes, size_t len, bool quoted)
{
    const unsigned char *unsigned_bytes = (const unsigned char *)bytes;
    char escape[8];

    if (len == 0)
        put_text(line,
                 "\xEF\xBF\xBD"); /* U+FFFD, as everywhere in place of a byte that is not UTF-8 */
    else if (bytes[0] == '\n')
        put_text(line, "\\n");
    else if (bytes[0] == '\\')
        put_text(line, "\\\\");
    else if (bytes[0] == '"' && quoted)
        put_text(line, "\\\"");
    else if (is_control(unsigned_bytes, len))
        put(line, escape,
            (size_t)snprintf(escape, sizeof(escape), "\\u%04x", unsigned_bytes[len - 1]));
    else
        put(line, bytes, len);
}

static void put_characters(struct line *line, struct slice text, bool quoted)
{
    while (text.len > 0 && !line->cut) {
        size_t len = character_len(text);
        size_t step = len > 0 ? len : 1;

        put_character(line, text.data, len, quoted);
        text.data += step;
        text.len -= step;
    }
    if (text.len > 0 || line->cut)
        put_end(line, "...");
}

/* Returns whether the text was added, perhaps cut. */
static bool put_quoted(struct line *line, struct slice text)
{
    if (!put_text(line, "\""))
        return false;
    put_characters(line, text, true);
    put_end(line, "\"");
    return true;
}

/* Returns whether the text format can show the value without quotes. */
static bool is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || strchr("\"\\=\x7F", text.data[i]) != NULL ||
            (i > 0 && is_control((const unsigned char *)text.data + i - 1, 2)))
            return false;
    return text.len > 0 && utf8_is_valid(text);
}

static bool put_name(struct line *line, const char *name)
{
    char start[64];

    if (line->json)
        snprintf(start, sizeof(start), "%s\"%s\":", line->data[line->len - 1] == '{' ? "" : ",",
                 name);
    else
        snprintf(start, sizeof(start), " %s=", name);
    return put_text(line, start);
}

static bool put_value(struct line *line, const struct log_field *field)
{
    char number[24];

    if (field->is_number)
        return put(line, number,
                   (size_t)snprintf(number, sizeof(number), "%lld", (long long)field->number));
    if (line->json || !is_word(field->text) || field->text.len > LINE_BYTES / 2)
        return put_quoted(line, field->text);
    return put(line, field->text.data, field->text.len);
}

/* Adds the whole field, or the field with its text cut, or nothing. */
static void put_field(struct line *line, const struct log_field *field)
{
    size_t start = line->len;

    if (!put_name(line, field->name) || !put_value(line, field))
        line->len = start;
}

static void put_fields(struct line *line, const struct log_field *fields)
{
    for (; fields != NULL && fields->name != NULL && !line->cut; fields++)
        if (fields->is_number || fields->text.data != NULL)
            put_field(line, fields);
}

static void put_time(char *out, size_t size)
{
    int64_t now_us = clock_wall_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm utc;
    char date[32];

    gmtime_r(&seconds, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, size, "%s.%03dZ", date, (int)(now_us / 1000 % 1000));
}

/* What the journal takes for the priority of the line, and strips: <N> as in syslog(3). Nobody else
   gets it. */
static const char *priority_mark(enum log_level level)
{
    static const char *const marks[] = {
        [LOG_ERROR] = "<3>",
        [LOG_WARNING] = "<4>",
        [LOG_INFO] = "<6>",
        [LOG_DEBUG] = "<7>",
    };

    return journal_reads(STDERR_FILENO) ? marks[level] : "";
}

static void start_line(struct line *line, enum log_level level, const char *event,
                       const char *message)
{
    char time_text[40];
    char start[128];

    put_time(time_text, sizeof(time_text));
    put_text(line, priority_mark(level));
    if (line->json) {
        put_text(line, "{");
        put_fields(line, (const struct log_field[]){ LOG_TEXT("ts", time_text),
                                                     LOG_TEXT("level", log_level_name(level)),
                                                     LOG_TEXT("event", event),
                                                     LOG_TEXT("msg", message),
                                                     { 0 } });
        return;
    }
    snprintf(start, sizeof(start), "%s %-5s %s: ", time_text, log_level_name(level), event);
    put_text(line, start);
    put_characters(line, slice_of(message), false);
}

static bool is_json(void)
{
    enum log_format format = atomic_load(&output_format);

    return format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO) == 0);
}

static void compose(struct line *line, enum log_level level, const char *event, const char *message,
                    const struct log_field *first, const struct log_field *second)
{
    *line = (struct line){ .json = is_json() };
    start_line(line, level, event, message);
    put_fields(line, first);
    put_fields(line, second);
    if (line->json)
        put_end(line, line->cut ? ",\"cut\":true}\n" : "}\n");
    else
        put_end(line, line->cut ? " ...\n" : "\n");
}

static void write_event(enum log_level level, const char *event, const char *message,
                        const struct log_field *first, const struct log_field *second)
{
    int saved_errno = errno;
    struct line line;

    compose(&line, level, event, message, first, second);
    log_writer_put(line.data, line.len);
    errno = saved_errno;
}

void log_write(enum log_level level, const char *event, const char *message,
               const struct log_field *fields)
{
    if (log_enabled(level))
        write_event(level, event, message, fields, NULL);
}

static struct slice text_or_none(const char *text)
{
    return text[0] != '\0' ? slice_of(text) : (struct slice){ NULL, 0 };
}

void log_error(enum log_level level, const char *event, const struct error *err,
               const struct log_field *fields)
{
    const struct log_field of_error[] = {
        LOG_SLICE("subject", text_or_none(err->subject)),
        LOG_SLICE("why", text_or_none(err->why)),
        LOG_SLICE("hint", text_or_none(err->hint)),
        { 0 },
    };

    if (log_enabled(level))
        write_event(level, event, err->what, of_error, fields);
}

/* Mark and piece together are LOG_LINE_BYTES at most. */
static void put_piece(const char *mark, struct slice piece)
{
    char line[LOG_LINE_BYTES + 1];
    int len = snprintf(line, sizeof(line), "%s%.*s", mark, (int)piece.len, piece.data);

    log_writer_put(line, (size_t)len);
}

void log_text(enum log_level level, const char *text)
{
    const char *mark = priority_mark(level);
    struct slice rest = slice_of(text);
    bool line_begins = true;

    while (rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.data) + 1 : rest.len;

        if (len > LOG_LINE_BYTES - strlen(mark))
            len = LOG_LINE_BYTES - strlen(mark);
        put_piece(line_begins ? mark : "", (struct slice){ rest.data, len });
        line_begins = rest.data[len - 1] == '\n';
        rest = (struct slice){ rest.data + len, rest.len - len };
    }
}

/* ---- a log that waits for nobody ---- */

/* Not a matter of the level: whoever reads must know that lines are missing. */
static size_t format_notice(char *out, uint64_t count)
{
    struct line line;

    compose(&line, LOG_WARNING, "log_lines_dropped",
            "standard error did not take these lines, or not fast enough",
            (const struct log_field[]){ LOG_NUMBER("count", count), { 0 } }, NULL);
    memcpy(out, line.data, line.len);
    return line.len;
}

int log_start(struct error *err)
{
    return log_writer_start(format_notice, err);
}

void log_flush(int timeout_ms)
{
    log_writer_flush(timeout_ms);
}

void log_stop(void)
{
    log_writer_stop();
}

uint64_t log_dropped_lines(void)
{
    return log_writer_dropped();
}
