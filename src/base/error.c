#include "base/error.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *err, enum error_kind kind, const char *what, const char *subject,
              const char *why_format, ...)
{
    va_list args;

    err->kind = kind;
    text_set(err->what, sizeof(err->what), "%s", what);
    text_set(err->subject, sizeof(err->subject), "%s", subject != NULL ? subject : "");
    va_start(args, why_format);
    text_set_list(err->why, sizeof(err->why), why_format, args);
    va_end(args);
    err->hint[0] = '\0';
    return -1;
}

int error_hint(struct error *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_set_list(err->hint, sizeof(err->hint), format, args);
    va_end(args);
    return -1;
}

int error_no_memory(struct error *err)
{
    return error_set(err, ERROR_INTERNAL, "out of memory", NULL,
                     "an allocation failed or a buffer reached its limit");
}

char *error_text(const struct error *err, char *out, size_t size)
{
    text_set(out, size, "%s%s%s%s%s%s%s%s%s", err->what, err->subject[0] != '\0' ? " \"" : "",
             err->subject, err->subject[0] != '\0' ? "\"" : "", err->why[0] != '\0' ? ": " : "",
             err->why, err->hint[0] != '\0' ? " (hint: " : "", err->hint,
             err->hint[0] != '\0' ? ")" : "");
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

        if (items == NULL) {
            list->incomplete = true;
            return -1;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *err;
    return 0;
}
