#include "mapping/typed_value.h"

#include "mapping/convert.h"
#include "mapping/letter_case.h"

/*
 * The value is kept as text in any case, in the column that every typed value has. So a valueType
 * that is not known is no fault, and a value that does not fit its type counts as a misfit but is
 * not put into `extra` a second time.
 */

enum typed_kind { TYPED_OTHER, TYPED_NUMERIC, TYPED_DATE, TYPED_TIMESTAMP, TYPED_BOOLEAN };

static const struct {
    struct slice name;
    enum typed_kind type;
} TYPE_NAMES[] = {
    { SLICE_LITERAL("Float"), TYPED_NUMERIC },      { SLICE_LITERAL("Double"), TYPED_NUMERIC },
    { SLICE_LITERAL("Decimal"), TYPED_NUMERIC },    { SLICE_LITERAL("Number"), TYPED_NUMERIC },
    { SLICE_LITERAL("Integer"), TYPED_NUMERIC },    { SLICE_LITERAL("Long"), TYPED_NUMERIC },
    { SLICE_LITERAL("Int"), TYPED_NUMERIC },        { SLICE_LITERAL("Date"), TYPED_DATE },
    { SLICE_LITERAL("DateTime"), TYPED_TIMESTAMP }, { SLICE_LITERAL("Timestamp"), TYPED_TIMESTAMP },
    { SLICE_LITERAL("Boolean"), TYPED_BOOLEAN },
};

static enum typed_kind type_named(struct slice name)
{
    for (size_t i = 0; i < sizeof(TYPE_NAMES) / sizeof(TYPE_NAMES[0]); i++)
        if (letter_case_same(name, TYPE_NAMES[i].name))
            return TYPE_NAMES[i].type;
    return TYPED_OTHER;
}

static bool read_type(struct reading *reading, const struct json_node *node, enum typed_kind *type)
{
    struct sent sent;

    *type = TYPED_OTHER;
    if (node == NULL || node->type != JSON_STRING)
        return true;
    if (!convert_sent(reading, node, &sent))
        return false;
    *type = type_named(sent.text);
    return true;
}

/* Converts into columns that the table may not have. */
static enum convert_fit fill(struct reading *reading, enum value_type type, uint32_t column,
                             uint32_t date_column, struct sent sent, struct value *row)
{
    struct value ignored = { 0 };

    return convert_value(reading, type, sent, column != MAPPING_NONE ? &row[column] : &ignored,
                         date_column != MAPPING_NONE ? &row[date_column] : NULL);
}

static enum convert_fit fill_typed(struct reading *reading, const struct mapping_typed_value *typed,
                                   enum typed_kind type, struct sent sent, struct value *row)
{
    switch (type) {
    case TYPED_OTHER:
        break;
    case TYPED_NUMERIC:
        if (typed->numeric_column != MAPPING_NONE)
            return fill(reading, VALUE_NUMERIC, typed->numeric_column, MAPPING_NONE, sent, row);
        break;
    case TYPED_DATE:
        if (typed->date_column != MAPPING_NONE)
            return fill(reading, VALUE_DATE, typed->date_column, MAPPING_NONE, sent, row);
        break;
    case TYPED_TIMESTAMP:
        if (typed->timestamp_column != MAPPING_NONE || typed->date_column != MAPPING_NONE)
            return fill(reading, VALUE_TIMESTAMPTZ, typed->timestamp_column, typed->date_column,
                        sent, row);
        break;
    case TYPED_BOOLEAN:
        if (typed->boolean_column != MAPPING_NONE)
            return fill(reading, VALUE_BOOLEAN, typed->boolean_column, MAPPING_NONE, sent, row);
        break;
    }
    return CONVERT_HELD;
}

bool typed_value_fill(struct reading *reading, const struct mapping_typed_value *typed,
                      struct object_view *view, struct value *row)
{
    enum convert_fit fit;
    enum typed_kind type;
    struct sent sent;

    if (!object_has(view, typed->value_slot))
        return true;
    if (!convert_sent(reading, view->found[typed->value_slot], &sent) ||
        !read_type(reading, view->found[typed->type_slot], &type))
        return false;
    row[typed->value_column] = value_of_text(sent.text);
    object_hold(view, typed->value_slot);
    fit = fill_typed(reading, typed, type, sent, row);
    if (fit == CONVERT_MISFIT)
        reading->misfits++; /* the text's column has it, so `extra` gets nothing */
    return fit != CONVERT_NO_MEMORY;
}
