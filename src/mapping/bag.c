#include "mapping/bag.h"

#include "mapping/convert.h"

#include <strings.h>

enum bag_type { BAG_OTHER, BAG_NUMERIC, BAG_DATE, BAG_TIMESTAMP, BAG_BOOLEAN };

static const struct {
    const char *name;
    enum bag_type type;
} BAG_TYPES[] = {
    { "Float", BAG_NUMERIC },       { "Double", BAG_NUMERIC },  { "Decimal", BAG_NUMERIC },
    { "Number", BAG_NUMERIC },      { "Integer", BAG_NUMERIC }, { "Long", BAG_NUMERIC },
    { "Int", BAG_NUMERIC },         { "Date", BAG_DATE },       { "DateTime", BAG_TIMESTAMP },
    { "Timestamp", BAG_TIMESTAMP }, { "Boolean", BAG_BOOLEAN },
};

static enum bag_type type_named(struct slice name)
{
    for (size_t i = 0; i < sizeof(BAG_TYPES) / sizeof(BAG_TYPES[0]); i++)
        if (name.len == strlen(BAG_TYPES[i].name) &&
            strncasecmp(name.data, BAG_TYPES[i].name, name.len) == 0)
            return BAG_TYPES[i].type;
    return BAG_OTHER;
}

static bool read_type(struct reading *reading, const struct json_node *node, enum bag_type *type)
{
    struct sent sent;

    *type = BAG_OTHER;
    if (node == NULL || node->type != JSON_STRING)
        return true;
    if (!convert_sent(reading, node, &sent))
        return false;
    *type = type_named(sent.text);
    return true;
}

/* Converts into a column that the table may lack. */
static enum convert_fit fill(struct reading *reading, enum value_type type, uint32_t column,
                             uint32_t twin, struct sent sent, struct value *row)
{
    struct value ignored = { 0 };

    return convert_value(reading, type, sent, column != PLAN_NONE ? &row[column] : &ignored,
                         twin != PLAN_NONE ? &row[twin] : NULL);
}

static enum convert_fit fill_typed(struct reading *reading, const struct plan_typed_value *typed,
                                   enum bag_type type, struct sent sent, struct value *row)
{
    switch (type) {
    case BAG_OTHER:
        break;
    case BAG_NUMERIC:
        if (typed->numeric_column != PLAN_NONE)
            return fill(reading, VALUE_NUMERIC, typed->numeric_column, PLAN_NONE, sent, row);
        break;
    case BAG_DATE:
        if (typed->date_column != PLAN_NONE)
            return fill(reading, VALUE_DATE, typed->date_column, PLAN_NONE, sent, row);
        break;
    case BAG_TIMESTAMP:
        if (typed->timestamp_column != PLAN_NONE || typed->date_column != PLAN_NONE)
            return fill(reading, VALUE_TIMESTAMPTZ, typed->timestamp_column, typed->date_column,
                        sent, row);
        break;
    case BAG_BOOLEAN:
        if (typed->boolean_column != PLAN_NONE)
            return fill(reading, VALUE_BOOLEAN, typed->boolean_column, PLAN_NONE, sent, row);
        break;
    }
    return CONVERT_HELD;
}

bool bag_fill(struct reading *reading, const struct plan_typed_value *typed,
              struct object_view *view, struct value *row)
{
    enum convert_fit fit;
    enum bag_type type;
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
        reading->misfits++; /* the column of the sent text has it: nothing for `extra` */
    return fit != CONVERT_NO_MEMORY;
}
