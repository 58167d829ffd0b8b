#include "config/cfg_text.h"

#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 1 << 20, MAX_TEXT_BYTES = 4 << 20, MAX_DEPTH = 10, MAX_SOURCES = 100 };

/* From first_line of the text on, lines are those of one source. */
struct cfg_span {
    unsigned first_line;
    unsigned source;
    unsigned source_line;
};

/* One file on its way into the text. */
struct scan {
    struct cfg_text *text;
    struct error_list *problems;
    struct slice in;
    size_t at;
    unsigned source;
    unsigned line;
    int depth;
    bool failed;
};

static int scan_file(struct cfg_text *text, const char *path, int depth, const struct scan *parent,
                     struct error_list *problems);

static int add_no_memory(struct error_list *problems)
{
    struct error err;

    error_no_memory(&err);
    error_list_add(problems, &err);
    return -1;
}

char *cfg_text_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    size_t directory_len = slash == NULL || name[0] == '/' ? 0 : (size_t)(slash - path + 1);
    char *joined = malloc(directory_len + strlen(name) + 1);

    if (joined == NULL)
        return NULL;
    memcpy(joined, path, directory_len);
    memcpy(joined + directory_len, name, strlen(name) + 1);
    return joined;
}

char *cfg_text_place(const char *path, unsigned line, char *out, size_t size)
{
    size_t len = strlen(path);
    size_t room = size - sizeof("...:4294967295");

    snprintf(out, size, "%s%s:%u", len > room ? "..." : "", len > room ? path + len - room : path,
             line);
    return out;
}

bool cfg_text_is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (((unsigned char)text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == '\x7f')
            return false;
    return utf8_is_valid(text);
}

static void report(struct scan *scan, unsigned line, const char *why, const char *hint)
{
    char place[256];
    struct error err;

    cfg_text_place(scan->text->sources[scan->source].path, line, place, sizeof(place));
    error_set(&err, ERROR_CONFIG, "cannot read the configuration", place, "%s", why);
    if (hint != NULL)
        error_hint(&err, "%s", hint);
    error_list_add(scan->problems, &err);
    scan->failed = true;
}

static bool peek(const struct scan *scan, const char *text)
{
    size_t len = strlen(text);

    return scan->in.len - scan->at >= len && memcmp(scan->in.data + scan->at, text, len) == 0;
}

static int byte_at(const struct scan *scan, size_t at)
{
    return at < scan->in.len ? (unsigned char)scan->in.data[at] : EOF;
}

static void copy(struct scan *scan, size_t len)
{
    buffer_append(&scan->text->out, scan->in.data + scan->at, len);
    scan->at += len;
}

static void copy_newline(struct scan *scan)
{
    copy(scan, 1);
    scan->line++;
    scan->text->lines++;
}

static int add_span(struct cfg_text *text, unsigned source, unsigned source_line)
{
    if (text->span_count == text->span_capacity) {
        size_t capacity = text->span_capacity == 0 ? 8 : text->span_capacity * 2;
        struct cfg_span *spans = realloc(text->spans, capacity * sizeof(*spans));

        if (spans == NULL)
            return -1;
        text->spans = spans;
        text->span_capacity = capacity;
    }
    text->spans[text->span_count++] = (struct cfg_span){ text->lines + 1, source, source_line };
    return 0;
}

static void scan_line_comment(struct scan *scan)
{
    while (scan->at < scan->in.len && scan->in.data[scan->at] != '\n')
        scan->at++;
}

static void scan_comment(struct scan *scan)
{
    unsigned start = scan->line;

    scan->at += 2;
    while (scan->at < scan->in.len && !peek(scan, "*/")) {
        if (scan->in.data[scan->at] == '\n')
            copy_newline(scan);
        else
            scan->at++;
    }
    if (scan->at == scan->in.len)
        report(scan, start, "a comment that starts here is never closed", "close it with */");
    else
        scan->at += 2;
    buffer_append_byte(&scan->text->out, ' ');
}

static void scan_string(struct scan *scan)
{
    size_t end = scan->at + 1;

    while (byte_at(scan, end) != '"') {
        if (byte_at(scan, end) == EOF || byte_at(scan, end) == '\n') {
            report(scan, scan->line, "a string is not closed on its line",
                   "close it with \"; a long one can stand in parts, \"...\" \"...\", on several "
                   "lines");
            scan->at = end;
            return;
        }
        if (byte_at(scan, end) == '\\') {
            if (tolower(byte_at(scan, end + 1)) == 'x' && byte_at(scan, end + 2) == '0' &&
                byte_at(scan, end + 3) == '0')
                report(scan, scan->line, "a string holds a NUL character", "remove \\x00");
            if (byte_at(scan, end + 1) != '\n' && byte_at(scan, end + 1) != EOF)
                end++;
        }
        end++;
    }
    copy(scan, end + 1 - scan->at);
}

static size_t skip_digits(const struct scan *scan, size_t at)
{
    while (isdigit(byte_at(scan, at)))
        at++;
    return at;
}

/* The end of an exponent that starts at `at`, or `at` if none does. */
static size_t skip_exponent(const struct scan *scan, size_t at)
{
    size_t digits = at + 1;

    if (tolower(byte_at(scan, at)) != 'e')
        return at;
    if (byte_at(scan, digits) == '+' || byte_at(scan, digits) == '-')
        digits++;
    return isdigit(byte_at(scan, digits)) ? skip_digits(scan, digits) : at;
}

static void put_integer(struct scan *scan, size_t end, bool hex)
{
    const char *literal =
        scan->in.data + scan->at; /* a NUL byte follows the input, so strtoull stops in time */
    unsigned long long magnitude;
    bool negative = literal[0] == '-';

    errno = 0;
    magnitude = strtoull(literal + (literal[0] == '-' || literal[0] == '+'), NULL, hex ? 16 : 10);
    if (errno == ERANGE || magnitude > (unsigned long long)INT64_MAX)
        report(scan, scan->line, "an integer is larger than 64 bit can hold",
               "at most 9223372036854775807 is possible");
    buffer_append_format(&scan->text->out, "%s%lluL ", negative ? "-" : "", magnitude);
    scan->at = end;
    for (int suffix = 0; suffix < 2 && byte_at(scan, scan->at) == 'L'; suffix++)
        scan->at++;
}

/* Digits, perhaps with a sign before them: an integer, or the start of a float, which libconfig
   reads right. */
static void scan_number(struct scan *scan)
{
    bool sign = !isdigit(byte_at(scan, scan->at));
    size_t digits = scan->at + sign;
    size_t end = skip_digits(scan, digits);

    if (!sign && byte_at(scan, digits) == '0' && tolower(byte_at(scan, digits + 1)) == 'x' &&
        isxdigit(byte_at(scan, digits + 2))) {
        end = digits + 2;
        while (isxdigit(byte_at(scan, end)))
            end++;
        put_integer(scan, end, true);
    } else if (byte_at(scan, end) == '.') {
        copy(scan, skip_exponent(scan, skip_digits(scan, end + 1)) - scan->at);
    } else if (end == digits) {
        copy(scan, 1);
    } else if (skip_exponent(scan, end) != end) {
        copy(scan, skip_exponent(scan, end) - scan->at);
    } else {
        put_integer(scan, end, false);
    }
}

static void scan_name(struct scan *scan)
{
    size_t end = scan->at;

    while (isalnum(byte_at(scan, end)) ||
           (byte_at(scan, end) != EOF && byte_at(scan, end) != '\0' &&
            strchr("-_*", byte_at(scan, end))))
        end++;
    copy(scan, end - scan->at);
}

/* What is wrong with the rest of an `@include`, or NULL with *name being what stands in quotes. */
static const char *read_include(struct scan *scan, struct slice *name)
{
    size_t start = scan->at + 1;
    size_t end = start;

    if (byte_at(scan, scan->at) != '"')
        return "@include is not followed by a path in quotes";
    while (byte_at(scan, end) != '"' && byte_at(scan, end) != '\n' && byte_at(scan, end) != EOF)
        end++;
    if (byte_at(scan, end) != '"')
        return "@include is not followed by a path in quotes";
    *name = (struct slice){ scan->in.data + start, end - start };
    scan->at = end + 1;
    return cfg_text_is_plain(*name) ? NULL : "the path is not UTF-8 or holds a control character";
}

/* At the start of a line: `@include "path"`. Returns whether it stood there. */
static bool scan_include(struct scan *scan)
{
    size_t saved = scan->at;
    struct slice quoted;
    const char *why;
    char *name;
    char *path;

    while (byte_at(scan, scan->at) == ' ' || byte_at(scan, scan->at) == '\t')
        scan->at++;
    if (!peek(scan, "@include")) {
        scan->at = saved;
        return false;
    }
    scan->at += strlen("@include");
    while (byte_at(scan, scan->at) == ' ' || byte_at(scan, scan->at) == '\t')
        scan->at++;
    why = read_include(scan, &quoted);
    if (why != NULL) {
        report(scan, scan->line, why, "write @include \"file.cfg\"");
        scan_line_comment(scan);
        return true;
    }
    name = strndup(quoted.data, quoted.len);
    path = name != NULL ? cfg_text_beside(scan->text->sources[scan->source].path, name) : NULL;
    if (path == NULL)
        add_no_memory(scan->problems);
    if (path == NULL || scan_file(scan->text, path, scan->depth + 1, scan, scan->problems) != 0)
        scan->failed = true;
    free(path);
    free(name);
    /* The rest of this line stands on a line of its own in the text. */
    buffer_append_byte(&scan->text->out, '\n');
    scan->text->lines++;
    if (add_span(scan->text, scan->source, scan->line) != 0) {
        add_no_memory(scan->problems);
        scan->failed = true;
    }
    return true;
}

static void scan_token(struct scan *scan)
{
    int byte = byte_at(scan, scan->at);

    if (byte == '\n') {
        copy_newline(scan);
        scan_include(scan);
    } else if (byte == '#' || peek(scan, "//")) {
        scan_line_comment(scan);
    } else if (peek(scan, "/*")) {
        scan_comment(scan);
    } else if (byte == '"') {
        scan_string(scan);
    } else if (isdigit(byte) || byte == '+' || byte == '-' || byte == '.') {
        scan_number(scan);
    } else if (isalpha(byte) || byte == '*') {
        scan_name(scan);
    } else {
        copy(scan, 1);
    }
}

static void scan_all(struct scan *scan)
{
    const char *nul = memchr(scan->in.data, '\0', scan->in.len);

    if (peek(scan, "\xEF\xBB\xBF"))
        scan->at = 3;
    if (nul != NULL || peek(scan, "\xFF\xFE") || peek(scan, "\xFE\xFF")) {
        report(scan, 1, "the file is not text", "save it as plain text in UTF-8");
        return;
    }
    scan_include(scan);
    while (scan->at < scan->in.len)
        scan_token(scan);
}

/* Where an unreadable file is named: the file that includes it with its line, or nothing but its
   own path. */
static int report_file(const struct scan *parent, const char *path, struct error_list *problems,
                       const char *why)
{
    struct error err;
    char place[256];

    if (parent != NULL) {
        cfg_text_place(parent->text->sources[parent->source].path, parent->line, place,
                       sizeof(place));
        error_set(&err, ERROR_CONFIG, "cannot include a file", place, "%s: %s", path, why);
        error_hint(&err, "a relative path starts from the directory of the file that includes");
    } else {
        error_set(&err, ERROR_CONFIG, "cannot read the configuration", path, "%s", why);
        error_hint(&err, "check the path and the permissions of the file");
    }
    error_list_add(problems, &err);
    return -1;
}

static const char NO_MEMORY[] = "out of memory";

/* Returns NULL, or why the file cannot be read. */
static const char *read_whole(const char *path, struct buffer *in, bool *world_readable)
{
    int fd = open(path,
                  O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hang us */
    struct stat status;
    const char *why = NULL;
    ssize_t got = 1;

    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &status) != 0)
        why = strerror(errno);
    else if (S_ISDIR(status.st_mode))
        why = "it is a directory";
    else if (!S_ISREG(status.st_mode))
        why = "it is not a regular file";
    else
        *world_readable = (status.st_mode & S_IROTH) != 0;
    while (why == NULL && got > 0) {
        char chunk[8192];

        got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno != EINTR)
            why = strerror(errno);
        else if (got > 0)
            buffer_append(in, chunk, (size_t)got);
        if (buffer_failed(in))
            why = in->len + (size_t)got > in->max_bytes ? "it is larger than 1 MiB" : NO_MEMORY;
        got = got < 0 ? 1 : got;
    }
    close(fd);
    return why;
}

static int add_source(struct cfg_text *text, const char *path, bool world_readable)
{
    struct cfg_source *sources =
        realloc(text->sources, (text->source_count + 1) * sizeof(*sources));

    if (sources == NULL)
        return -1;
    text->sources = sources;
    sources[text->source_count] = (struct cfg_source){ strdup(path), world_readable };
    if (sources[text->source_count].path == NULL)
        return -1;
    text->source_count++;
    return add_span(text, (unsigned)text->source_count - 1, 1);
}

static int scan_file(struct cfg_text *text, const char *path, int depth, const struct scan *parent,
                     struct error_list *problems)
{
    struct scan scan = { .text = text, .problems = problems, .line = 1, .depth = depth };
    struct buffer in;
    const char *why = NULL;
    bool world_readable = false;

    buffer_init(&in, MAX_FILE_BYTES);
    if (depth > MAX_DEPTH)
        why = "includes nest deeper than 10: does a file include itself?";
    else if (text->source_count == MAX_SOURCES)
        why = "more than 100 includes";
    else
        why = read_whole(path, &in, &world_readable);
    if (why == NULL && add_source(text, path, world_readable) != 0)
        why = NO_MEMORY;
    if (why == NO_MEMORY) {
        scan.failed = true;
        add_no_memory(problems);
    } else if (why != NULL) {
        scan.failed = true;
        report_file(parent, path, problems, why);
    } else if (in.len > 0) {
        scan.source = (unsigned)text->source_count - 1;
        scan.in = buffer_slice(&in);
        scan_all(&scan);
    }
    buffer_release(&in);
    return scan.failed ? -1 : 0;
}

int cfg_text_read(struct cfg_text *text, const char *path, struct error_list *problems)
{
    *text = (struct cfg_text){ 0 };
    buffer_init(&text->out, MAX_TEXT_BYTES);
    if (scan_file(text, path, 0, NULL, problems) != 0)
        return -1;
    if (!buffer_failed(&text->out))
        return 0;
    if (text->out.len <
        MAX_TEXT_BYTES - MAX_FILE_BYTES) /* nothing that was appended can be longer than a file */
        return add_no_memory(problems);
    return report_file(NULL, path, problems, "with its includes it is larger than 4 MiB");
}

void cfg_text_release(struct cfg_text *text)
{
    for (size_t i = 0; i < text->source_count; i++)
        free(text->sources[i].path);
    free(text->sources);
    free(text->spans);
    buffer_release(&text->out);
    *text = (struct cfg_text){ 0 };
}

const struct cfg_source *cfg_text_source(const struct cfg_text *text, unsigned line,
                                         unsigned *source_line)
{
    size_t at = text->span_count - 1;

    while (at > 0 && text->spans[at].first_line > line)
        at--;
    *source_line = text->spans[at].source_line + (line - text->spans[at].first_line);
    return &text->sources[text->spans[at].source];
}
