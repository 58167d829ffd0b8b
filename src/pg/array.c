#include "pg/array.h"

enum {
    BOOL_OID = 16,
    BYTEA_OID = 17,
    INT8_OID = 20,
    INT4_OID = 23,
    TEXT_OID = 25,
    DATE_OID = 1082,
    TIMESTAMPTZ_OID = 1184,
    JSONB_OID = 3802,
    HEADER_BYTES = 20,
    JSONB_VERSION = 1,
};

const struct pg_type PG_TYPE_BYTEA = { BYTEA_OID, 1001, "bytea[]", "", "" };

const struct pg_type *pg_type_of(enum value_type type)
{
    static const struct pg_type types[] = {
        [VALUE_TEXT] = { TEXT_OID, 1009, "text[]", "", "" },
        [VALUE_NUMERIC] = { TEXT_OID, 1009, "text[]", "::numeric", "::text" },
        [VALUE_DATE] = { DATE_OID, 1182, "date[]", "", "" },
        [VALUE_TIMESTAMPTZ] = { TIMESTAMPTZ_OID, 1185, "timestamptz[]", "", "" },
        [VALUE_BOOLEAN] = { BOOL_OID, 1000, "boolean[]", "", "" },
        [VALUE_JSONB] = { JSONB_OID, 3807, "jsonb[]", "", "::text" },
        [VALUE_INTEGER] = { INT4_OID, 1007, "integer[]", "", "" },
    };

    return &types[type];
}

Oid pg_array_element(Oid array)
{
    switch (array) {
    case 1000:
        return BOOL_OID;
    case 1001:
        return BYTEA_OID;
    case 1007:
        return INT4_OID;
    case 1016:
        return INT8_OID;
    case 1182:
        return DATE_OID;
    case 1185:
        return TIMESTAMPTZ_OID;
    case 3807:
        return JSONB_OID;
    default:
        return TEXT_OID;
    }
}

void pg_array_init(struct pg_array *array, Oid element, size_t max_bytes)
{
    *array = (struct pg_array){ .element = element };
    buffer_init(&array->bytes, max_bytes);
    buffer_reserve(&array->bytes, HEADER_BYTES);
}

void pg_array_release(struct pg_array *array)
{
    buffer_release(&array->bytes);
}

void pg_array_null(struct pg_array *array)
{
    array->count++;
    array->has_nulls = true;
    buffer_append_u32(&array->bytes, UINT32_MAX);
}

void pg_array_bytes(struct pg_array *array, struct slice bytes)
{
    array->count++;
    buffer_append_u32(&array->bytes, (uint32_t)bytes.len);
    buffer_append_slice(&array->bytes, bytes);
}

void pg_array_integer(struct pg_array *array, int64_t number)
{
    array->count++;
    switch (array->element) {
    case BOOL_OID:
        buffer_append_u32(&array->bytes, 1);
        buffer_append_byte(&array->bytes, number != 0 ? 1 : 0);
        break;
    case INT4_OID:
    case DATE_OID:
        buffer_append_u32(&array->bytes, 4);
        buffer_append_u32(&array->bytes, (uint32_t)number);
        break;
    default:
        buffer_append_u32(&array->bytes, 8);
        buffer_append_u64(&array->bytes, (uint64_t)number);
        break;
    }
}

void pg_array_value(struct pg_array *array, enum value_type type, const struct value *value)
{
    if (!value->present) {
        pg_array_null(array);
    } else if (type == VALUE_JSONB) {
        array->count++;
        buffer_append_u32(&array->bytes, (uint32_t)value->text.len + 1);
        buffer_append_byte(&array->bytes, JSONB_VERSION);
        buffer_append_slice(&array->bytes, value->text);
    } else if (value_is_text(type)) {
        pg_array_bytes(array, value->text);
    } else {
        pg_array_integer(array, value->number);
    }
}

int pg_array_finish(struct pg_array *array)
{
    uint32_t header[5] = { array->count > 0 ? 1 : 0, array->has_nulls ? 1 : 0, array->element, array->count, 1 };

    if (buffer_failed(&array->bytes))
        return -1;
    for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++)
        header[i] = __builtin_bswap32(header[i]);
    if (array->count == 0)
        array->bytes.len = 12; /* without a dimension there are no bounds */
    memcpy(array->bytes.data, header, array->bytes.len < HEADER_BYTES ? array->bytes.len : HEADER_BYTES);
    return 0;
}
