#include "pg/copy.h"

#include "pg/array.h"
#include "pg/cell.h"

static const char SIGNATURE[] = "PGCOPY\n\377\r\n"; /* its NUL is part of it */

static void append_u16(struct buffer *out, uint16_t number)
{
    buffer_append_byte(out, (char)(number >> 8));
    buffer_append_byte(out, (char)(number & 0xff));
}

void pg_copy_init(struct pg_copy *copy, size_t max_bytes)
{
    *copy = (struct pg_copy){ .rows = 0 };
    buffer_init(&copy->bytes, max_bytes);
    buffer_append(&copy->bytes, SIGNATURE, sizeof(SIGNATURE));
    buffer_append_u32(&copy->bytes, 0); /* flags */
    buffer_append_u32(&copy->bytes, 0); /* length of the header's extension */
}

void pg_copy_release(struct pg_copy *copy)
{
    buffer_release(&copy->bytes);
}

void pg_copy_row(struct pg_copy *copy, const struct table *table, const struct value *values)
{
    copy->rows++;
    append_u16(&copy->bytes, (uint16_t)table->column_count);
    for (size_t i = 0; i < table->column_count; i++)
        pg_cell_value(&copy->bytes, pg_type_of(table->columns[i].type)->element, &values[i]);
}

int pg_copy_finish(struct pg_copy *copy)
{
    append_u16(&copy->bytes, UINT16_MAX);
    return buffer_failed(&copy->bytes) ? -1 : 0;
}
