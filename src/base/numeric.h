/*
 * JSON numbers as decimal text, and how PostgreSQL's numeric prints them. Nothing here rounds.
 *
 *     struct numeric number;
 *     if (numeric_parse(text, &number) && numeric_fits(&number))
 *         numeric_write(&number, out);
 */
#ifndef KOPRU_BASE_NUMERIC_H
#define KOPRU_BASE_NUMERIC_H

#include "base/buffer.h"
#include "base/slice.h"

/* The limits of a numeric column, by the contract. */
enum { NUMERIC_MAX_DIGITS = 1000, NUMERIC_MAX_EXPONENT = 1000 };

/* The parts of a number's text; the slices point into it. */
struct numeric {
    bool negative;
    bool has_exponent;
    struct slice integer;  /* at least one digit */
    struct slice fraction; /* the digits after the point, perhaps none */
    int exponent;          /* saturates at +-1,000,000 */
};

/* Takes the longest JSON number (RFC 8259) from the beginning of text. Returns its length in bytes,
   or 0 if there is none; fault_at (if not NULL) is then the offset of the first byte that cannot be
   part of one. number may be NULL. */
size_t numeric_scan(struct slice text, struct numeric *number, size_t *fault_at);

/* True if the whole text is one JSON number. */
bool numeric_parse(struct slice text, struct numeric *number);

/* True if digits and exponent are within the limits above. */
bool numeric_fits(const struct numeric *number);

/* Appends the number as PostgreSQL's numeric prints it: no exponent, no needless leading zeros,
   the trailing zeros of the fraction, no minus before zero: 1e5 as 100000, 1.0e1 as 10, 1.50 as
   1.50, -0.0 as 0.0. The text grows with the exponent, so the caller checks that first. */
void numeric_write(const struct numeric *number, struct buffer *out);

#endif
