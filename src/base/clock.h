/*
 * Three clocks: the monotonic one, which never jumps, for every deadline; the boot clock, which
 * also counts while the machine sleeps, for how long others may have waited for us; and the wall
 * clock for the times that people and tables see. A name that ends in _us counts microseconds since
 * 1970-01-01, one that ends in _pg_us microseconds since 2000-01-01, as PostgreSQL does.
 */
#ifndef KOPRU_BASE_CLOCK_H
#define KOPRU_BASE_CLOCK_H

#include <stdint.h>

/* Seconds from 1970-01-01 to 2000-01-01. */
#define POSTGRES_EPOCH_S INT64_C(946684800)

/* Milliseconds of the monotonic clock. */
int64_t clock_monotonic_ms(void);

/* Milliseconds of the boot clock. */
int64_t clock_boot_ms(void);

/* Seconds since 1970-01-01 UTC. */
int64_t clock_wall_s(void);

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);

/* Returns the milliseconds left until a deadline of the monotonic clock, from 0 to INT_MAX. */
int clock_left_ms(int64_t deadline_ms);

#endif
