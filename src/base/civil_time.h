/*
 * Dates and instants as the ERP writes them, and the one time zone in which it means them.
 *
 *     if (civil_zone_set("Europe/Istanbul", &err) != 0) ...        once, before any thread
 *     if (civil_read_timestamp(text, &moment)) ...                 from any thread
 *
 * A date is a number of days since 2000-01-01 (pg_days), an instant a number of microseconds since
 * 2000-01-01 00:00 UTC (pg_us). These are PostgreSQL's own binary forms.
 */
#ifndef KOPRU_BASE_CIVIL_TIME_H
#define KOPRU_BASE_CIVIL_TIME_H

#include "base/buffer.h"
#include "base/civil_zone.h"
#include "base/slice.h"

#include <stdint.h>

struct civil_moment {
    int64_t instant_pg_us;
    int64_t date_pg_days; /* the civil date: as written if the text has no offset, else that of the
                             instant in the zone */
    bool exact; /* false if digits beyond microseconds were cut that are not zero, so that the
                   column does not hold everything that was sent */
};

/* Reads `YYYY-MM-DD` (midnight in the zone), or that followed by `T` or a space and
   `hh:mm[:ss[.f]]` and optionally `Z`, `+-hh:mm` or `+-hhmm` (up to 15:59 as in PostgreSQL). White
   space, hour 24, second 60 and a lower-case t or z are refused. Returns false if the text has
   another form or names a day that does not exist, if the year is 0000, or if the instant is
   outside the years 0001 to 9999, in UTC or in the zone: many clients cannot read it there. */
bool civil_read_timestamp(struct slice text, struct civil_moment *moment);

/* Reads `YYYY-MM-DD` of the years 0001 to 9999, or a timestamp as above, of which the date is the
   civil date in the zone. *exact is false for a timestamp, because the date does not hold its time
   of day. Returns false if the text does not fit. */
bool civil_read_date(struct slice text, int64_t *pg_days, bool *exact);

/* Returns the civil date, in days since 2000-01-01, on which an instant falls in the zone. */
int64_t civil_date_of(int64_t instant_pg_us);

/* Appends YYYY-MM-DD. */
void civil_write_date(int64_t pg_days, struct buffer *out);

/* Appends YYYY-MM-DDThh:mm:ss[.f]Z in UTC, the fraction without trailing zeros. */
void civil_write_instant(int64_t instant_pg_us, struct buffer *out);

#endif
