/*
 * One cell of a row, in the form that both PostgreSQL's binary protocol and the folding of messages
 * can use directly.
 */
#ifndef KOPRU_MODEL_VALUE_H
#define KOPRU_MODEL_VALUE_H

#include "base/clock.h"
#include "base/slice.h"

#include <stdint.h>

enum value_type {
    VALUE_TEXT,
    VALUE_NUMERIC,     /* text in numeric's own canonical spelling (no exponent), so that equal text
                          means an equal value */
    VALUE_DATE,        /* number: pg_days, days since 2000-01-01 */
    VALUE_TIMESTAMPTZ, /* number: pg_us, microseconds since 2000-01-01 00:00 UTC */
    VALUE_BOOLEAN,     /* number: 0 or 1 */
    VALUE_JSONB,       /* text as jsonb prints it (json_write_canonical) */
    VALUE_INTEGER,     /* number: 32 bits */
};

/* Rows are many and most columns null, so this is kept small: 16 bytes. Zeroed it is SQL null. */
struct value {
    bool present; /* false is SQL null */
    uint32_t len; /* of a text, in bytes: a body is shorter than 4 GiB, and so is all that
                     PostgreSQL stores */
    union {
        int64_t number;
        const char *data; /* of a text, owned by the arena of the message or the batch: read it with
                             value_text() */
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

/* PostgreSQL's name of the type, as the catalog prints it: "timestamp with time zone". */
const char *value_type_name(enum value_type type);

static inline bool value_is_text(enum value_type type)
{
    return type == VALUE_TEXT || type == VALUE_NUMERIC || type == VALUE_JSONB;
}

bool value_equal(enum value_type type, const struct value *a, const struct value *b);

/* An order for sorting and merging; nulls first, text by bytes. */
int value_compare(enum value_type type, const struct value *a, const struct value *b);

#endif
