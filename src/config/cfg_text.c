#include "config/cfg_text.h"

#include "base/utf8.h"
#include "config/cfg_path.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

/*
 * libconfig's scanner does not report some mistakes: an open string or comment swallows the rest of
 * the file, \x00 cuts a string short or vanishes, and integers wrap (in 1.5 every one that needs
 * more than 32 bits, in 1.7 the hexadecimal ones). A limit of 4 GiB that becomes 0 is worse than a
 * file that is refused. So the text is split into the tokens of libconfig's scanner.l, and refused
 * where the two releases would read a token differently or wrongly. Where a token is not quite
 * libconfig's, as in "+e5", libconfig refuses the file anyway.
 */

static const char DIGITS[] = "0123456789";
static const char XDIGITS[] = "0123456789abcdefABCDEF";
static const char NAME_BYTES[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*";

static void report(struct cfg_text *text, const char *why, const char *hint)
{
    char location[256];
    struct error err;

    cfg_path_location(text->path, text->line, location, sizeof(location));
    error_set(&err, ERROR_CONFIG, "cannot read the configuration", location, "%s", why);
    error_hint(&err, "%s", hint);
    error_list_add(text->problems, &err);
    text->failed = true;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

void cfg_text_init(struct cfg_text *text, const char *path, struct slice contents, bool is_included,
                   struct error_list *problems)
{
    *text = (struct cfg_text){ .path = path,
                               .at = contents.len > 0 ? contents.data : "",
                               .line = 1,
                               .at_line_start = true,
                               .is_included = is_included,
                               .problems = problems };
    if (strlen(text->at) < contents.len || begins(text->at, "\xFF\xFE") ||
        begins(text->at, "\xFE\xFF")) {
        report(text, "the file is not text", "save it as plain text in UTF-8");
        text->at = "";
    } else if (begins(text->at, "\xEF\xBB\xBF")) {
        report(text, "the file begins with a byte order mark", "save it in UTF-8 without one");
    }
}

static void check_line_comment(struct cfg_text *text)
{
    text->at += strcspn(text->at, "\n");
    text->ends_in_comment = *text->at == '\0';
    if (text->ends_in_comment && text->is_included)
        report(text, "the file ends in a comment without a line break", "end its last line");
}

static void check_comment(struct cfg_text *text)
{
    const char *end = strstr(text->at + 2, "*/");

    if (end == NULL) {
        report(text, "a comment that starts here is never closed", "close it with */");
        text->at += strlen(text->at);
        return;
    }
    for (; text->at < end; text->at++)
        text->line += *text->at == '\n';
    text->at = end + 2;
}

static void check_string(struct cfg_text *text)
{
    const char *end = text->at + 1;

    while (*end != '"') {
        if (*end == '\0' || *end == '\n') {
            report(text, "a string is not closed on its line",
                   "close it with \"; a long string can be written in parts: \"...\" \"...\"");
            text->at = end;
            return;
        }
        if (strncasecmp(end, "\\x00", 4) == 0)
            report(text, "a string holds a NUL character", "remove \\x00");
        end += begins(end, "\\\\") || begins(end, "\\\"") ? 2 : 1;
    }
    text->at = end + 1;
}

static void check_integer(struct cfg_text *text, const char *digits, const char *end, bool is_hex)
{
    bool is_long = *end == 'L';
    long long value;

    errno = 0;
    value = strtoll(text->at, NULL, is_hex ? 16 : 10);
    if (errno == ERANGE)
        report(text, "an integer is larger than 64 bits can hold",
               "at most 9223372036854775807 is possible");
    else if (!is_long && (value > INT32_MAX || value < INT32_MIN))
        report(text, "an integer of more than 32 bits lacks the suffix L",
               "write an L after it, as in 4294967296L");
    else if (!is_long && !is_hex && digits[0] == '0' && end > digits + 1)
        report(text, "an integer begins with 0, which libconfig 1.7 reads as octal",
               "remove the leading zeros");
}

/* Returns the end of the fraction and the exponent that start at `at`; `at` if there is neither. */
static const char *skip_fraction(const char *at)
{
    const char *exponent;

    if (*at == '.')
        at += 1 + strspn(at + 1, DIGITS);
    if (tolower((unsigned char)*at) != 'e')
        return at;
    exponent = at + 1 + (at[1] == '+' || at[1] == '-');
    return isdigit((unsigned char)*exponent) ? exponent + strspn(exponent, DIGITS) : at;
}

static void check_number(struct cfg_text *text)
{
    const char *digits = text->at + (*text->at == '+' || *text->at == '-');
    bool is_hex = strncasecmp(text->at, "0x", 2) == 0 && isxdigit((unsigned char)text->at[2]);
    const char *end = digits + (is_hex ? 2 + strspn(digits + 2, XDIGITS) : strspn(digits, DIGITS));
    const char *float_end = is_hex ? end : skip_fraction(end);

    if (float_end == end && end > digits)
        check_integer(text, digits, end, is_hex);
    text->at = float_end;
}

static void check_token(struct cfg_text *text)
{
    unsigned char byte = (unsigned char)*text->at;

    text->at_line_start = byte == '\n';
    text->line += byte == '\n';
    if (byte == '#' || begins(text->at, "//"))
        check_line_comment(text);
    else if (begins(text->at, "/*"))
        check_comment(text);
    else if (byte == '"')
        check_string(text);
    else if (isdigit(byte) || byte == '+' || byte == '-' || byte == '.')
        check_number(text);
    else if (isalpha(byte) || byte == '*')
        text->at += strspn(text->at, NAME_BYTES);
    else
        text->at++;
}

/* Returns why the include in this line cannot be followed, NULL if it can. */
static const char *read_include(struct cfg_text *text, struct slice *name)
{
    const char *behind = strstr(text->at, "@include") + strlen("@include");
    const char *quote = behind + strspn(behind, " \t");

    *name = (struct slice){ quote + 1, *quote == '"' ? strcspn(quote + 1, "\"\n") : 0 };
    if (quote == behind || *quote != '"' || name->data[name->len] != '"')
        return "@include is not followed by a path in quotes";
    text->at = name->data + name->len + 1;
    if (!utf8_is_plain(*name))
        return "the path is not UTF-8 or holds a control character";
    if (memchr(name->data, '\\', name->len) != NULL)
        return "the path of an include holds a backslash";
    return name->data[0] == '/' ? "the path of an include is absolute" : NULL;
}

bool cfg_text_next_include(struct cfg_text *text, struct slice *name)
{
    while (*text->at != '\0') {
        const char *why;

        if (!text->at_line_start || !begins(text->at + strspn(text->at, " \t"), "@include")) {
            check_token(text);
            continue;
        }
        text->at_line_start = false;
        why = read_include(text, name);
        if (why == NULL)
            return true;
        report(text, why,
               "write @include \"file.cfg\", with a path from the directory of the main file");
        text->at += strcspn(text->at, "\n");
    }
    return false;
}
