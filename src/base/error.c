#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text that had to be cut says so instead of ending silently, and ends with a whole character of UTF-8. */
__attribute__((format(printf, 3, 0))) static void fit(char *field, size_t size, const char *format, va_list args)
{
    int wanted = vsnprintf(field, size, format, args);

    if (wanted >= 0 && (size_t)wanted >= size) {
        size_t end = size - 4;

        while (end > 0 && ((unsigned char)field[end] & 0xC0) == 0x80)
            end--;
        memcpy(field + end, "...", 4);
    }
}

__attribute__((format(printf, 3, 4))) static void put(char *field, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fit(field, size, format, args);
    va_end(args);
}

int error_set(struct error *err, enum error_kind kind, const char *what, const char *subject, const char *why_format, ...)
{
    va_list args;

    err->kind = kind;
    put(err->what, sizeof(err->what), "%s", what);
    put(err->subject, sizeof(err->subject), "%s", subject != NULL ? subject : "");
    va_start(args, why_format);
    fit(err->why, sizeof(err->why), why_format, args);
    va_end(args);
    err->hint[0] = '\0';
    return -1;
}

int error_hint(struct error *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fit(err->hint, sizeof(err->hint), format, args);
    va_end(args);
    return -1;
}

int error_no_memory(struct error *err)
{
    return error_set(err, ERROR_INTERNAL, "out of memory", NULL, "an allocation failed or a buffer reached its limit");
}

void error_clear(struct error *err)
{
    memset(err, 0, sizeof(*err));
}

char *error_text(const struct error *err, char *out, size_t size)
{
    put(out, size, "%s%s%s%s%s%s%s%s%s", err->what, err->subject[0] != '\0' ? " \"" : "", err->subject,
        err->subject[0] != '\0' ? "\"" : "", err->why[0] != '\0' ? ": " : "", err->why, err->hint[0] != '\0' ? " (hint: " : "",
        err->hint, err->hint[0] != '\0' ? ")" : "");
    return out;
}

void error_list_init(struct error_list *list)
{
    memset(list, 0, sizeof(*list));
}

void error_list_release(struct error_list *list)
{
    free(list->items);
    error_list_init(list);
}

int error_list_add(struct error_list *list, const struct error *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct error *items = realloc(list->items, capacity * sizeof(*items));

        if (items == NULL)
            return -1;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *err;
    return 0;
}
