#include "pg/array.h"

#include "pg/binary.h"
#include "pg/cell.h"

/*
 * The header stands before the elements but says how many there are and whether one is null, which
 * is known only after the last one. So its bytes are reserved first and filled at the end.
 */

enum { HEADER_BYTES = 20 };

const struct pg_type PG_TYPE_BYTEA = { BYTEA_OID, BYTEA_ARRAY_OID, "bytea[]", "" };

const struct pg_type *pg_type_of(enum value_type type)
{
    static const struct pg_type types[] = {
        [VALUE_TEXT] = { TEXT_OID, TEXT_ARRAY_OID, "text[]", "" },
        [VALUE_NUMERIC] = { NUMERIC_OID, NUMERIC_ARRAY_OID, "numeric[]", "::text" },
        [VALUE_DATE] = { DATE_OID, DATE_ARRAY_OID, "date[]", "" },
        [VALUE_TIMESTAMPTZ] = { TIMESTAMPTZ_OID, TIMESTAMPTZ_ARRAY_OID, "timestamptz[]", "" },
        [VALUE_BOOLEAN] = { BOOL_OID, BOOL_ARRAY_OID, "boolean[]", "" },
        [VALUE_JSONB] = { JSONB_OID, JSONB_ARRAY_OID, "jsonb[]", "::text" },
        [VALUE_INTEGER] = { INT4_OID, INT4_ARRAY_OID, "integer[]", "" },
    };

    return &types[type];
}

Oid pg_array_element(Oid array)
{
    switch (array) {
    case BOOL_ARRAY_OID:
        return BOOL_OID;
    case BYTEA_ARRAY_OID:
        return BYTEA_OID;
    case INT4_ARRAY_OID:
        return INT4_OID;
    case INT8_ARRAY_OID:
        return INT8_OID;
    case DATE_ARRAY_OID:
        return DATE_OID;
    case TIMESTAMPTZ_ARRAY_OID:
        return TIMESTAMPTZ_OID;
    case NUMERIC_ARRAY_OID:
        return NUMERIC_OID;
    case JSONB_ARRAY_OID:
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
    pg_cell_null(&array->bytes);
}

void pg_array_bytes(struct pg_array *array, struct slice bytes)
{
    array->count++;
    pg_cell_bytes(&array->bytes, bytes);
}

void pg_array_integer(struct pg_array *array, int64_t number)
{
    array->count++;
    pg_cell_integer(&array->bytes, array->element, number);
}

void pg_array_value(struct pg_array *array, const struct value *value)
{
    array->count++;
    array->has_nulls = array->has_nulls || !value->present;
    pg_cell_value(&array->bytes, array->element, value);
}

int pg_array_finish(struct pg_array *array)
{
    uint32_t header[5] = { array->count > 0 ? 1 : 0, array->has_nulls ? 1 : 0, array->element,
                           array->count, 1 };

    if (buffer_failed(&array->bytes))
        return -1;
    for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++)
        header[i] = __builtin_bswap32(header[i]);
    if (array->count == 0)
        array->bytes.len = 12; /* without a dimension there are no bounds */
    memcpy(array->bytes.data, header,
           array->bytes.len < HEADER_BYTES ? array->bytes.len : HEADER_BYTES);
    return 0;
}
