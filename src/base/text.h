/*
 * Text put together in an array of fixed size, for errors, findings and names. What does not fit is
 * cut at a whole character of UTF-8, and the text then ends in "..." instead of ending silently.
 *
 *     char names[200] = "";
 *     for (...)
 *         text_append(names, sizeof(names), "%s%s", i > 0 ? ", " : "", name);
 */
#ifndef KOPRU_BASE_TEXT_H
#define KOPRU_BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* For fields that are left out when they are empty. */
static inline const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* Writes the text into out, which has room for size bytes, at least 4, the NUL among them. */
void text_set(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void text_set_list(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Writes it behind what is there already, unless that was cut. */
void text_append(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
