/*
 * A number never becomes a binary one: a double would change 0.1 and lose digits, and a 64-bit
 * integer would cut the ERP's longer ones. numeric keeps the scale as well (1.50 is not 1.5 there),
 * so the digits that were sent are moved, never computed. Places are counted from the first digit
 * of the integer, which makes an exponent a shift of the decimal point.
 */
#include "base/numeric.h"

enum { EXPONENT_LIMIT = 1000000 };

static size_t count_digits(struct slice text, size_t from)
{
    size_t at = from;

    while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at - from;
}

static struct slice part(struct slice text, size_t from, size_t len)
{
    return (struct slice){ text.data + from, len };
}

static int exponent_value(struct slice digits, bool negative)
{
    int value = 0;

    for (size_t i = 0; i < digits.len && value < EXPONENT_LIMIT; i++)
        value = value * 10 + (digits.data[i] - '0');
    if (value > EXPONENT_LIMIT)
        value = EXPONENT_LIMIT;
    return negative ? -value : value;
}

/* Takes the exponent, if there is one. Returns the offset after it, or 0 with *fault set to the
   offset of the byte at fault. */
static size_t scan_exponent(struct slice text, size_t at, struct numeric *number, size_t *fault)
{
    bool negative = false;
    size_t digits;

    if (at == text.len || (text.data[at] | 0x20) != 'e')
        return at;
    at++;
    if (at < text.len && (text.data[at] == '+' || text.data[at] == '-'))
        negative = text.data[at++] == '-';
    digits = count_digits(text, at);
    if (digits == 0) {
        *fault = at;
        return 0;
    }
    number->has_exponent = true;
    number->exponent = exponent_value(part(text, at, digits), negative);
    return at + digits;
}

/* Does the work of numeric_scan() with both pointers given. */
static size_t scan(struct slice text, struct numeric *number, size_t *fault)
{
    size_t at = text.len > 0 && text.data[0] == '-';
    size_t digits = count_digits(text, at);

    *number = (struct numeric){ .negative = at > 0 };
    if (digits == 0) {
        *fault = at;
        return 0;
    }
    if (text.data[at] == '0')
        digits = 1;
    number->integer = part(text, at, digits);
    at += digits;
    if (at < text.len && text.data[at] == '.') {
        digits = count_digits(text, at + 1);
        if (digits == 0) {
            *fault = at + 1;
            return 0;
        }
        number->fraction = part(text, at + 1, digits);
        at += 1 + digits;
    }
    return scan_exponent(text, at, number, fault);
}

size_t numeric_scan(struct slice text, struct numeric *number, size_t *fault_at)
{
    struct numeric ignored_number;
    size_t ignored_fault;

    return scan(text, number != NULL ? number : &ignored_number,
                fault_at != NULL ? fault_at : &ignored_fault);
}

bool numeric_parse(struct slice text, struct numeric *number)
{
    size_t len = numeric_scan(text, number, NULL);

    return len > 0 && len == text.len;
}

bool numeric_fits(const struct numeric *number)
{
    return number->integer.len + number->fraction.len <= NUMERIC_MAX_DIGITS &&
           number->exponent <= NUMERIC_MAX_EXPONENT && number->exponent >= -NUMERIC_MAX_EXPONENT;
}

/* Returns the digit at a place, counted from the first one of the integer. There are zeros on both
   sides of the digits that were sent. */
static char digit_at(const struct numeric *number, long place)
{
    long integer = (long)number->integer.len;

    if (place < 0 || place >= integer + (long)number->fraction.len)
        return '0';
    return place < integer ? number->integer.data[place] : number->fraction.data[place - integer];
}

/* Returns the place of the first digit that is not zero, or end if there is none before it. */
static long first_nonzero(const struct numeric *number, long end)
{
    long place = 0;

    while (place < end && digit_at(number, place) == '0')
        place++;
    return place;
}

/* Appends the digits at the places [from, to). */
static void write_digits(const struct numeric *number, long from, long to, struct buffer *out)
{
    char *target = buffer_reserve(out, (size_t)(to - from));

    if (target == NULL)
        return;
    for (long place = from; place < to; place++)
        *target++ = digit_at(number, place);
}

void numeric_write(const struct numeric *number, struct buffer *out)
{
    long sent = (long)(number->integer.len + number->fraction.len);
    long point = (long)number->integer.len + number->exponent;
    long scale = (long)number->fraction.len - number->exponent;
    bool zero = first_nonzero(number, sent) == sent;
    long first = zero ? point : first_nonzero(number, point);

    if (number->negative && !zero)
        buffer_append_byte(out, '-');
    if (first < point)
        write_digits(number, first, point, out);
    else
        buffer_append_byte(out, '0');
    if (scale > 0) {
        buffer_append_byte(out, '.');
        write_digits(number, point, point + scale, out);
    }
}
