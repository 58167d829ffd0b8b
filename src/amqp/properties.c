#include "amqp/properties.h"

#include "base/json_canonical.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * The object is written straight into a buffer, without json-c: AMQP's decimals and 32-bit floats
 * have no type there, and this runs once for every message, of which nearly all become rows and
 * never need the text. A loop over the table is the least that it can cost. Every string is
 * checked, because PostgreSQL's jsonb refuses what is not UTF-8 and the escape \u0000, and a dead
 * letter that cannot be written would be worse than one in base64.
 */

static bool is_storable(struct slice text)
{
    return text.len == 0 || (memchr(text.data, '\0', text.len) == NULL && utf8_is_valid(text));
}

static void write_base64(struct slice bytes, struct buffer *out)
{
    char *place;

    buffer_append_text(out, "base64:");
    if (bytes.len == 0)
        return;
    place = buffer_reserve(out, (bytes.len + 2) / 3 * 4);
    if (place != NULL) /* the NUL byte that this adds goes where the buffer keeps its own */
        EVP_EncodeBlock((unsigned char *)place, (const unsigned char *)bytes.data, (int)bytes.len);
}

void amqp_text_write(struct slice text, struct buffer *out)
{
    if (is_storable(text))
        buffer_append_slice(out, text);
    else
        write_base64(text, out);
}

static void write_binary(struct slice bytes, struct buffer *out)
{
    buffer_append_byte(out, '"');
    write_base64(bytes, out);
    buffer_append_byte(out, '"');
}

static void write_string(struct slice text, struct buffer *out)
{
    if (is_storable(text))
        json_write_string(text, out);
    else
        write_binary(text, out);
}

/* Writes the shortest text, of at most digits digits, that reads back as the same value. */
static void write_double(double value, int digits, bool single, struct buffer *out)
{
    char text[32] = "0";

    if (isnan(value)) {
        buffer_append_text(out, "\"NaN\"");
        return;
    }
    if (isinf(value)) {
        buffer_append_text(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    for (int precision = digits - 3; precision <= digits; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    buffer_append_text(out, text);
}

static void write_table(const amqp_table_t *table, int depth, struct buffer *out);
static void write_array(const amqp_array_t *array, int depth, struct buffer *out);

static void write_value(const amqp_field_value_t *field, int depth, struct buffer *out)
{
    switch ((amqp_field_value_kind_t)field->kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
        buffer_append_text(out, field->value.boolean ? "true" : "false");
        return;
    case AMQP_FIELD_KIND_I8:
        buffer_append_format(out, "%d", field->value.i8);
        return;
    case AMQP_FIELD_KIND_U8:
        buffer_append_format(out, "%u", field->value.u8);
        return;
    case AMQP_FIELD_KIND_I16:
        buffer_append_format(out, "%d", field->value.i16);
        return;
    case AMQP_FIELD_KIND_U16:
        buffer_append_format(out, "%u", field->value.u16);
        return;
    case AMQP_FIELD_KIND_I32:
        buffer_append_format(out, "%" PRId32, field->value.i32);
        return;
    case AMQP_FIELD_KIND_U32:
        buffer_append_format(out, "%" PRIu32, field->value.u32);
        return;
    case AMQP_FIELD_KIND_I64:
        buffer_append_format(out, "%" PRId64, field->value.i64);
        return;
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        buffer_append_format(out, "%" PRIu64, field->value.u64);
        return;
    case AMQP_FIELD_KIND_F32:
        write_double((double)field->value.f32, 9, true, out);
        return;
    case AMQP_FIELD_KIND_F64:
        write_double(field->value.f64, 17, false, out);
        return;
    case AMQP_FIELD_KIND_DECIMAL:
        buffer_append_format(out, "%" PRIu32 "e-%u", field->value.decimal.value,
                             field->value.decimal.decimals);
        return;
    case AMQP_FIELD_KIND_UTF8:
        write_string(amqp_bytes_slice(field->value.bytes), out);
        return;
    case AMQP_FIELD_KIND_BYTES:
        write_binary(amqp_bytes_slice(field->value.bytes), out);
        return;
    case AMQP_FIELD_KIND_ARRAY:
        write_array(&field->value.array, depth, out);
        return;
    case AMQP_FIELD_KIND_TABLE:
        write_table(&field->value.table, depth, out);
        return;
    case AMQP_FIELD_KIND_VOID:
        buffer_append_text(out, "null");
        return;
    }
    buffer_append_text(out, "\"unknown type\""); /* not reached: rabbitmq-c refuses the frame */
}

/* Returns true at the limit, after writing a note in place of the value. */
static bool too_deep(int depth, struct buffer *out)
{
    if (depth < AMQP_PROPERTIES_MAX_DEPTH)
        return false;
    buffer_append_text(out, "\"nested too deeply\"");
    return true;
}

static void write_table(const amqp_table_t *table, int depth, struct buffer *out)
{
    if (too_deep(depth, out))
        return;
    buffer_append_byte(out, '{');
    for (int i = 0; i < table->num_entries; i++) {
        if (i > 0)
            buffer_append_byte(out, ',');
        write_string(amqp_bytes_slice(table->entries[i].key), out);
        buffer_append_byte(out, ':');
        write_value(&table->entries[i].value, depth + 1, out);
    }
    buffer_append_byte(out, '}');
}

static void write_array(const amqp_array_t *array, int depth, struct buffer *out)
{
    if (too_deep(depth, out))
        return;
    buffer_append_byte(out, '[');
    for (int i = 0; i < array->num_entries; i++) {
        if (i > 0)
            buffer_append_byte(out, ',');
        write_value(&array->entries[i], depth + 1, out);
    }
    buffer_append_byte(out, ']');
}

static void write_text_member(const char *name, struct slice text, struct buffer *out)
{
    buffer_append_text(out, name);
    write_string(text, out);
}

void amqp_properties_write(const amqp_basic_properties_t *properties, struct slice exchange,
                           struct slice routing_key, struct buffer *out)
{
    const struct {
        amqp_flags_t flag;
        const char *name;
        const amqp_bytes_t *value;
    } texts[] = {
        { AMQP_BASIC_CONTENT_ENCODING_FLAG,
          ",\"content_encoding\":", &properties->content_encoding },
        { AMQP_BASIC_CORRELATION_ID_FLAG, ",\"correlation_id\":", &properties->correlation_id },
        { AMQP_BASIC_REPLY_TO_FLAG, ",\"reply_to\":", &properties->reply_to },
        { AMQP_BASIC_EXPIRATION_FLAG, ",\"expiration\":", &properties->expiration },
        { AMQP_BASIC_TYPE_FLAG, ",\"type\":", &properties->type },
        { AMQP_BASIC_USER_ID_FLAG, ",\"user_id\":", &properties->user_id },
        { AMQP_BASIC_APP_ID_FLAG, ",\"app_id\":", &properties->app_id },
        { AMQP_BASIC_CLUSTER_ID_FLAG, ",\"cluster_id\":", &properties->cluster_id },
    };

    write_text_member("{\"exchange\":", exchange, out);
    write_text_member(",\"routing_key\":", routing_key, out);
    if (properties->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG)
        buffer_append_format(out, ",\"delivery_mode\":%u", properties->delivery_mode);
    if (properties->_flags & AMQP_BASIC_PRIORITY_FLAG)
        buffer_append_format(out, ",\"priority\":%u", properties->priority);
    if (properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
        buffer_append_format(out, ",\"timestamp\":%" PRIu64, properties->timestamp);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (properties->_flags & texts[i].flag)
            write_text_member(texts[i].name, amqp_bytes_slice(*texts[i].value), out);
    if (properties->_flags & AMQP_BASIC_HEADERS_FLAG) {
        buffer_append_text(out, ",\"headers\":");
        write_table(&properties->headers, 0, out);
    }
    buffer_append_byte(out, '}');
}
