/*
 * UTF-8 as Unicode and PostgreSQL define it: no overlong forms, no surrogates, nothing beyond
 * U+10FFFF.
 */
#ifndef KOPRU_BASE_UTF8_H
#define KOPRU_BASE_UTF8_H

#include "base/slice.h"

#include <stdint.h>

/* Returns the number of bytes before the first ill-formed sequence, or text.len if there is none.
   NUL bytes are well-formed. */
size_t utf8_valid_len(struct slice text);

static inline bool utf8_is_valid(struct slice text)
{
    return utf8_valid_len(text) == text.len;
}

/* Whether text is valid and has no control character but tab, so that a message may repeat it. */
bool utf8_is_plain(struct slice text);

/* Returns the longest beginning of a valid text that has at most max_bytes and ends with a whole
   character. */
struct slice utf8_cut(struct slice text, size_t max_bytes);

/* Cuts a valid string for printf("%.*s", UTF8_CUT_ARG(name, 80)). "%.80s" could end inside a
   character. */
#define UTF8_CUT_ARG(text, max_bytes) SLICE_ARG(utf8_cut(slice_of(text), (max_bytes)))

/* Writes a code point (at most U+10FFFF, not a surrogate) and returns its number of bytes, from 1
   to 4. */
size_t utf8_encode(uint32_t code_point, char out[4]);

#endif
