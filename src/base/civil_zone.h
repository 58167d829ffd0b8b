/*
 * The one time zone of the process: the ERP's. Seconds here count from 1970-01-01, in UTC for an
 * instant, on the zone's own clocks for a civil time. Until civil_zone_set() the zone is UTC.
 */
#ifndef KOPRU_BASE_CIVIL_ZONE_H
#define KOPRU_BASE_CIVIL_ZONE_H

#include <stdbool.h>
#include <stdint.h>

struct error;

/* Whether the system's tzdata has a zone of that name. */
bool civil_zone_exists(const char *iana);

/* Makes an IANA zone the zone of the process (TZ in its environment). Call before other threads
   exist. Returns 0, or -1 with err filled (ERROR_CONFIG) if the system's tzdata has no such zone;
   the old zone then stays. */
int civil_zone_set(const char *iana, struct error *err);

/* Seconds east of UTC at an instant; local mean time, with its odd seconds, before the zone's first
   change. From any thread. */
int64_t civil_zone_offset(int64_t unix_s);

/* The instant of a civil time. What a change of the clocks skipped counts by the offset before it,
   what they showed twice by the offset after it: PostgreSQL's rule for AT TIME ZONE. From any
   thread. */
int64_t civil_zone_instant(int64_t civil_s);

#endif
