#include "mapping/convert.h"

#include "base/civil_time.h"
#include "base/numeric.h"

#include <strings.h>

/*
 * PostgreSQL could convert the text itself, but a value that it refuses fails the statement, and
 * with it the whole batch. So what fits is decided here, by rules that are narrower than those of
 * PostgreSQL's input functions ("1" is no boolean, "infinity" is no date), and the database gets
 * only values that it accepts. A value that does not fit costs its column and never the message.
 */

bool convert_sent(struct reading *reading, const struct json_node *node, struct sent *sent)
{
    sent->type = (enum json_type)node->type;
    if (sent->type == JSON_STRING)
        sent->text = json_string(reading->doc, node, reading->arena);
    else
        sent->text = json_text(reading->doc, node);
    return sent->text.data != NULL;
}

static enum convert_fit to_text(struct sent sent, struct value *value)
{
    if (sent.type == JSON_ARRAY || sent.type == JSON_OBJECT)
        return CONVERT_MISFIT;
    *value = value_of_text(sent.text);
    return CONVERT_HELD;
}

static enum convert_fit to_numeric(struct reading *reading, struct sent sent, struct value *value)
{
    struct numeric number;
    struct slice text = sent.text;

    if (sent.type != JSON_NUMBER && sent.type != JSON_STRING)
        return CONVERT_MISFIT;
    if (!numeric_parse(text, &number) || !numeric_fits(&number))
        return CONVERT_MISFIT;
    if (number.negative || number.has_exponent) {
        numeric_write(&number, reading_begin_text(reading));
        if (!reading_end_text(reading, &text))
            return CONVERT_NO_MEMORY;
    }
    /* Without a sign and an exponent, JSON's spelling of a number is numeric's canonical one. */
    *value = value_of_text(text);
    return CONVERT_HELD;
}

static enum convert_fit to_date(struct sent sent, struct value *value)
{
    int64_t pg_days;
    bool exact;

    if (sent.type != JSON_STRING || !civil_read_date(sent.text, &pg_days, &exact))
        return CONVERT_MISFIT;
    *value = value_of_number(pg_days);
    return exact ? CONVERT_HELD : CONVERT_IN_PART;
}

static enum convert_fit to_instant(struct sent sent, struct value *value, struct value *date)
{
    struct civil_moment moment;

    if (sent.type != JSON_STRING || !civil_read_timestamp(sent.text, &moment))
        return CONVERT_MISFIT;
    *value = value_of_number(moment.instant_pg_us);
    if (date != NULL)
        *date = value_of_number(moment.date_pg_days);
    return moment.exact ? CONVERT_HELD : CONVERT_IN_PART;
}

static bool is_word(struct slice text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

static enum convert_fit to_boolean(struct sent sent, struct value *value)
{
    bool is_string = sent.type == JSON_STRING;

    if (sent.type == JSON_TRUE || (is_string && is_word(sent.text, "true")))
        *value = value_of_number(1);
    else if (sent.type == JSON_FALSE || (is_string && is_word(sent.text, "false")))
        *value = value_of_number(0);
    else
        return CONVERT_MISFIT;
    return CONVERT_HELD;
}

enum convert_fit convert_value(struct reading *reading, enum value_type type, struct sent sent,
                               struct value *value, struct value *date)
{
    switch (type) {
    case VALUE_TEXT:
        return to_text(sent, value);
    case VALUE_NUMERIC:
        return to_numeric(reading, sent, value);
    case VALUE_DATE:
        return to_date(sent, value);
    case VALUE_TIMESTAMPTZ:
        return to_instant(sent, value, date);
    case VALUE_BOOLEAN:
        return to_boolean(sent, value);
    case VALUE_JSONB:
    case VALUE_INTEGER:
        break; /* only kopru's own columns have these types, and no path feeds them */
    }
    return CONVERT_MISFIT;
}

static bool is_integer_literal(struct slice text)
{
    struct numeric number;

    return numeric_parse(text, &number) && number.fraction.len == 0 && !number.has_exponent;
}

enum convert_fit convert_key(struct reading *reading, const struct json_node *node,
                             struct slice *key)
{
    struct sent sent;

    if (node == NULL || (node->type != JSON_STRING && node->type != JSON_NUMBER))
        return CONVERT_MISFIT;
    if (!convert_sent(reading, node, &sent))
        return CONVERT_NO_MEMORY;
    if (sent.text.len == 0 || sent.text.len > ENTITY_KEY_MAX_BYTES)
        return CONVERT_MISFIT;
    if (sent.type == JSON_NUMBER && !is_integer_literal(sent.text))
        return CONVERT_MISFIT;
    *key = sent.text;
    return CONVERT_HELD;
}
