/*
 * Text in an array of fixed size, for errors, findings and names. A text that does not fit is cut
 * after a whole UTF-8 character and ends in "...", so that a reader sees the cut.
 *
 *     char names[200] = "";
 *     for (...)
 *         text_append(names, sizeof(names), "%s%s", i > 0 ? ", " : "", name);
 */
#ifndef KOPRU_BASE_TEXT_H
#define KOPRU_BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Returns NULL for an empty text, for fields that are left out when they are empty. */
static inline const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* Write the text into out, which has room for size bytes including the NUL. size is at least 4. */
void text_set(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void text_set_list(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Appends to the text in out, unless that text was cut. */
void text_append(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
