#include "mapping/typed_value.h"

#include "mapping/convert.h"

#include <ctype.h>
#include <string.h>

/*
 * The value is kept as text in any case, in the column that every typed value has. So a valueType
 * that is not known is no fault, and a value that does not fit its type counts as a misfit but is
 * not put into `extra` a second time.
 */

enum typed_kind { TYPED_OTHER, TYPED_NUMERIC, TYPED_DATE, TYPED_TIMESTAMP, TYPED_BOOLEAN };

static const struct {
    const char *name;
    enum typed_kind type;
} TYPE_NAMES[] = {
    { "Float", TYPED_NUMERIC },       { "Double", TYPED_NUMERIC },  { "Decimal", TYPED_NUMERIC },
    { "Number", TYPED_NUMERIC },      { "Integer", TYPED_NUMERIC }, { "Long", TYPED_NUMERIC },
    { "Int", TYPED_NUMERIC },         { "Date", TYPED_DATE },       { "DateTime", TYPED_TIMESTAMP },
    { "Timestamp", TYPED_TIMESTAMP }, { "Boolean", TYPED_BOOLEAN },
};

static bool take_bytes(struct slice *text, const char bytes[2])
{
    if (text->len < 2 || memcmp(text->data, bytes, 2) != 0)
        return false;
    text->data += 2;
    text->len -= 2;
    return true;
}

/* Takes one letter of a text that is not empty, in lower case. By the rules of Turkish, capital i
   is U+0130 and small I is U+0131; by those of other languages, small U+0130 is i and U+0307. All
   of them are i here. */
static int take_letter(struct slice *text)
{
    int letter = 'i';

    if (!take_bytes(text, "\xC4\xB0") && !take_bytes(text, "\xC4\xB1")) {
        letter = tolower((unsigned char)text->data[0]);
        text->data++;
        text->len--;
    }
    if (letter == 'i')
        take_bytes(text, "\xCC\x87");
    return letter;
}

static bool is_named(struct slice sent, const char *name)
{
    for (; *name != '\0'; name++)
        if (sent.len == 0 || take_letter(&sent) != tolower((unsigned char)*name))
            return false;
    return sent.len == 0;
}

static enum typed_kind type_named(struct slice name)
{
    for (size_t i = 0; i < sizeof(TYPE_NAMES) / sizeof(TYPE_NAMES[0]); i++)
        if (is_named(name, TYPE_NAMES[i].name))
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
