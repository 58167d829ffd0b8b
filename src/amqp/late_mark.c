#include "amqp/late_mark.h"

/* What brokers and their plugins add when a message does not go straight from its publisher to the
   queue. Whoever moves a dead-lettered message by hand may lose x-death, which is a list of tables,
   and keep the names, which are strings; a shovel may add its timestamp alone. */
static const char *const MARKS[] = {
    "x-death",         "x-first-death-queue",   "x-last-death-queue", /* dead-lettered */
    "x-shovelled",     "x-shovelled-timestamp",                       /* moved by a shovel */
    "x-received-from",                                                /* by federation */
    "x-delay", /* a delayed message exchange */
};

/* A quorum queue counts in the first how often the message came back, as its delivery-limit does,
   from 0; and in the second, from RabbitMQ 4.3 on, how often anybody had it, which counts what its
   consumer gave back as well. Whoever publishes such a message again may pass them on, but not the
   flag. */
static const char DELIVERY_COUNT[] = "x-delivery-count";
static const char ACQUIRED_COUNT[] = "x-acquired-count";

/* Returns the number, 0 if it is none or negative. */
static uint64_t number_of(const amqp_field_value_t *field)
{
    int64_t number = 0;

    switch (field->kind) {
    case AMQP_FIELD_KIND_I8:
        number = (int64_t)field->value.i8;
        break;
    case AMQP_FIELD_KIND_U8:
        return field->value.u8;
    case AMQP_FIELD_KIND_I16:
        number = field->value.i16;
        break;
    case AMQP_FIELD_KIND_U16:
        return field->value.u16;
    case AMQP_FIELD_KIND_I32:
        number = field->value.i32;
        break;
    case AMQP_FIELD_KIND_U32:
        return field->value.u32;
    case AMQP_FIELD_KIND_I64:
        number = field->value.i64;
        break;
    case AMQP_FIELD_KIND_U64:
        return field->value.u64;
    default:
        break;
    }
    return number > 0 ? (uint64_t)number : 0;
}

uint32_t amqp_delivery_count(const amqp_basic_properties_t *properties)
{
    uint64_t count = 0;

    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return 0;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];

        if (slice_is(amqp_bytes_slice(entry->key), DELIVERY_COUNT))
            count = number_of(&entry->value);
    }
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static const char *mark_of(const amqp_table_entry_t *entry, bool redelivered)
{
    struct slice name = amqp_bytes_slice(entry->key);

    for (size_t i = 0; i < sizeof(MARKS) / sizeof(MARKS[0]); i++)
        if (slice_is(name, MARKS[i]))
            return MARKS[i];
    if (redelivered || number_of(&entry->value) == 0)
        return NULL;
    if (slice_is(name, DELIVERY_COUNT))
        return DELIVERY_COUNT;
    return slice_is(name, ACQUIRED_COUNT) ? ACQUIRED_COUNT : NULL;
}

const char *amqp_late_mark(const amqp_basic_properties_t *properties, bool redelivered)
{
    const char *mark = NULL;

    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return NULL;
    for (int i = 0; i < properties->headers.num_entries && mark == NULL; i++)
        mark = mark_of(&properties->headers.entries[i], redelivered);
    return mark;
}
