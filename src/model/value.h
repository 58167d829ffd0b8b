/*
 * The value of one column of one row, in a form that PostgreSQL's binary format and the folding of
 * messages can both use directly.
 */
#ifndef KOPRU_MODEL_VALUE_H
#define KOPRU_MODEL_VALUE_H

#include "base/clock.h"
#include "base/slice.h"

#include <stdint.h>

enum value_type {
    VALUE_TEXT,
    VALUE_NUMERIC,     /* text in numeric's canonical spelling, without an exponent, so that equal
                          texts mean equal values */
    VALUE_DATE,        /* number: pg_days, days since 2000-01-01 */
    VALUE_TIMESTAMPTZ, /* number: pg_us, microseconds since 2000-01-01 00:00 UTC */
    VALUE_BOOLEAN,     /* number: 0 or 1 */
    VALUE_JSONB,       /* text as jsonb prints it (json_write_canonical) */
    VALUE_INTEGER,     /* number: 32 bits */
};

/* There are many rows and most columns are null, so a value is kept small: 16 bytes. Zeroed memory
   is SQL null. */
struct value {
    bool present; /* false is SQL null */
    uint32_t len; /* of a text, in bytes. No body reaches 4 GiB, nor does a value in PostgreSQL */
    union {
        int64_t number;
        const char *data; /* of a text, in an arena of the message or the batch; see value_text() */
    };
};

static inline struct value value_of_text(struct slice text)
{
    return (struct value){ .data = text.data, .len = (uint32_t)text.len, .present = true };
}

static inline struct value value_of_number(int64_t number)
{
    return (struct value){ .number = number, .present = true };
}

static inline struct slice value_text(const struct value *value)
{
    return (struct slice){ value->data, value->len };
}

/* Returns PostgreSQL's name of the type, as the catalog prints it: "timestamp with time zone". */
const char *value_type_name(enum value_type type);

static inline bool value_is_text(enum value_type type)
{
    return type == VALUE_TEXT || type == VALUE_NUMERIC || type == VALUE_JSONB;
}

bool value_equal(enum value_type type, const struct value *a, const struct value *b);

/* Compares for sorting and merging: nulls first, texts by bytes. */
int value_compare(enum value_type type, const struct value *a, const struct value *b);

#endif
