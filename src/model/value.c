#include "model/value.h"

const char *value_type_name(enum value_type type)
{
    switch (type) {
    case VALUE_TEXT:
        return "text";
    case VALUE_NUMERIC:
        return "numeric";
    case VALUE_DATE:
        return "date";
    case VALUE_TIMESTAMPTZ:
        return "timestamp with time zone";
    case VALUE_BOOLEAN:
        return "boolean";
    case VALUE_JSONB:
        return "jsonb";
    case VALUE_INTEGER:
        return "integer";
    }
    return "unknown";
}

bool value_equal(enum value_type type, const struct value *a, const struct value *b)
{
    return value_compare(type, a, b) == 0;
}

int value_compare(enum value_type type, const struct value *a, const struct value *b)
{
    if (!a->present || !b->present)
        return (int)a->present - (int)b->present;
    if (value_is_text(type))
        return slice_compare(value_text(a), value_text(b));
    return (a->number > b->number) - (a->number < b->number);
}
