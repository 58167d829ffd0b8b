#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Writes after the first `used` bytes. */
__attribute__((format(printf, 4, 0))) static void put(char *out, size_t size, size_t used,
                                                      const char *format, va_list args)
{
    int wanted = vsnprintf(out + used, size - used, format, args);

    if (wanted >= 0 && (size_t)wanted >= size - used) {
        size_t end = size - 4;

        while (end > 0 && ((unsigned char)out[end] & 0xC0) == 0x80)
            end--;
        memcpy(out + end, "...", 4);
    }
}

void text_set_list(char *out, size_t size, const char *format, va_list args)
{
    put(out, size, 0, format, args);
}

void text_set(char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(out, size, 0, format, args);
    va_end(args);
}

void text_append(char *out, size_t size, const char *format, ...)
{
    size_t used = strlen(out);
    va_list args;

    if (used + 4 >= size && used >= 3 && strcmp(out + used - 3, "...") == 0)
        return;
    va_start(args, format);
    put(out, size, used, format, args);
    va_end(args);
}
