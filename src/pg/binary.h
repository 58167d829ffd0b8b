/* PostgreSQL's binary form: the OIDs of the types that the statements take, fixed for ever, and
   integers, which are big-endian. */
#ifndef KOPRU_PG_BINARY_H
#define KOPRU_PG_BINARY_H

#include <stdint.h>
#include <string.h>

enum {
    BOOL_OID = 16,
    BYTEA_OID = 17,
    INT8_OID = 20,
    INT4_OID = 23,
    TEXT_OID = 25,
    DATE_OID = 1082,
    TIMESTAMPTZ_OID = 1184,
    NUMERIC_OID = 1700,
    JSONB_OID = 3802,

    BOOL_ARRAY_OID = 1000,
    BYTEA_ARRAY_OID = 1001,
    INT4_ARRAY_OID = 1007,
    TEXT_ARRAY_OID = 1009,
    INT8_ARRAY_OID = 1016,
    DATE_ARRAY_OID = 1182,
    TIMESTAMPTZ_ARRAY_OID = 1185,
    NUMERIC_ARRAY_OID = 1231,
    JSONB_ARRAY_OID = 3807,
};

static inline uint32_t pg_read_u32(const char *bytes)
{
    uint32_t wire;

    memcpy(&wire, bytes, sizeof(wire));
    return __builtin_bswap32(wire);
}

static inline int64_t pg_read_i64(const char *bytes)
{
    uint64_t wire;

    memcpy(&wire, bytes, sizeof(wire));
    return (int64_t)__builtin_bswap64(wire);
}

/* Returns the eight bytes of the number as they go to the server. */
static inline int64_t pg_wire_i64(int64_t number)
{
    return (int64_t)__builtin_bswap64((uint64_t)number);
}

#endif
