#include "pg/cell.h"

#include "pg/binary.h"

/*
 * Rows go to the server in binary form: nothing has to be quoted, the server need not parse text,
 * and a bytea is not twice as long. The price is that each type is encoded here as its recv
 * function wants it, which is more than a copy only for numeric.
 */

enum { JSONB_VERSION = 1, NUMERIC_NEGATIVE = 0x4000, NUMERIC_DIGIT_PLACES = 4 };

void pg_cell_null(struct buffer *out)
{
    buffer_append_u32(out, UINT32_MAX);
}

void pg_cell_bytes(struct buffer *out, struct slice bytes)
{
    buffer_append_u32(out, (uint32_t)bytes.len);
    buffer_append_slice(out, bytes);
}

void pg_cell_integer(struct buffer *out, Oid type, int64_t number)
{
    switch (type) {
    case BOOL_OID:
        buffer_append_u32(out, 1);
        buffer_append_byte(out, number != 0 ? 1 : 0);
        break;
    case INT4_OID:
    case DATE_OID:
        buffer_append_u32(out, 4);
        buffer_append_u32(out, (uint32_t)number);
        break;
    default:
        buffer_append_u32(out, 8);
        buffer_append_u64(out, (uint64_t)number);
        break;
    }
}

static void jsonb(struct buffer *out, struct slice text)
{
    buffer_append_u32(out, (uint32_t)text.len + 1);
    buffer_append_byte(out, JSONB_VERSION);
    buffer_append_slice(out, text);
}

static size_t digits_of(size_t places)
{
    return (places + NUMERIC_DIGIT_PLACES - 1) / NUMERIC_DIGIT_PLACES;
}

/* Returns four decimal places as one digit of base 10,000; zeros stand where the text has none.
   `at` counts from the beginning of the text. */
static uint16_t digit_at(struct slice text, long at)
{
    uint16_t digit = 0;

    for (long i = at; i < at + NUMERIC_DIGIT_PLACES; i++)
        digit = (uint16_t)(digit * 10 + (i >= 0 && i < (long)text.len ? text.data[i] - '0' : 0));
    return digit;
}

static char *put_u16(char *target, uint16_t number)
{
    target[0] = (char)(number >> 8);
    target[1] = (char)(number & 0xff);
    return target + 2;
}

/* Appends a numeric from the canonical text of VALUE_NUMERIC; the server strips the zeros at both
   ends. */
static void numeric(struct buffer *out, struct slice text)
{
    const bool negative = text.data[0] == '-';
    const struct slice whole = { text.data + negative, text.len - negative };
    const char *point = memchr(whole.data, '.', whole.len);
    const struct slice integer = { whole.data,
                                   point != NULL ? (size_t)(point - whole.data) : whole.len };
    const struct slice fraction = { point != NULL ? point + 1 : NULL,
                                    point != NULL ? whole.len - integer.len - 1 : 0 };
    const size_t before = digits_of(integer.len);
    const size_t after = digits_of(fraction.len);
    const long begin = (long)integer.len - (long)(before * NUMERIC_DIGIT_PLACES);
    const size_t bytes = 2 * (4 + before + after);
    char *target;

    buffer_append_u32(out, (uint32_t)bytes);
    target = buffer_reserve(out, bytes);
    if (target == NULL)
        return;
    target = put_u16(target, (uint16_t)(before + after));
    target = put_u16(target, (uint16_t)(before - 1));
    target = put_u16(target, negative ? NUMERIC_NEGATIVE : 0);
    target = put_u16(target, (uint16_t)fraction.len);
    for (size_t i = 0; i < before; i++)
        target = put_u16(target, digit_at(integer, begin + (long)i * NUMERIC_DIGIT_PLACES));
    for (size_t i = 0; i < after; i++)
        target = put_u16(target, digit_at(fraction, (long)i * NUMERIC_DIGIT_PLACES));
}

void pg_cell_value(struct buffer *out, Oid type, const struct value *value)
{
    if (!value->present)
        pg_cell_null(out);
    else if (type == JSONB_OID)
        jsonb(out, value_text(value));
    else if (type == NUMERIC_OID)
        numeric(out, value_text(value));
    else if (type == TEXT_OID)
        pg_cell_bytes(out, value_text(value));
    else
        pg_cell_integer(out, type, value->number);
}
