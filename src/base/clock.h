/*
 * Two clocks: the monotonic one for every deadline (it never jumps), the wall clock for what people
 * and tables read.
 */
#ifndef KOPRU_BASE_CLOCK_H
#define KOPRU_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of the monotonic clock. */
int64_t clock_monotonic_ms(void);

/* Seconds since 1970-01-01 UTC. */
int64_t clock_wall_s(void);

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);

/* Milliseconds left until a deadline of the monotonic clock, never below 0, at most INT_MAX. */
int clock_left_ms(int64_t deadline_ms);

#endif
