/*
 * The one time zone of the process, which is the ERP's. Seconds count from 1970-01-01 00:00: in UTC
 * for an instant (unix_s), on the zone's own clocks for a civil time (civil_s). Until
 * civil_zone_set() is called the zone is UTC.
 */
#ifndef KOPRU_BASE_CIVIL_ZONE_H
#define KOPRU_BASE_CIVIL_ZONE_H

#include <stdbool.h>
#include <stdint.h>

struct error;

/* Whether the system's tzdata has a zone of that name. */
bool civil_zone_exists(const char *iana);

/* Makes an IANA zone the zone of the process (TZ in its environment). Must be called before other
   threads exist. Returns 0, or -1 with err filled (ERROR_CONFIG) if the system's tzdata has no such
   zone; the old zone then stays. */
int civil_zone_set(const char *iana, struct error *err);

/* Returns the seconds east of UTC at an instant. Before the first change of the zone this is local
   mean time with its odd seconds. May be called from any thread. */
int64_t civil_zone_offset(int64_t unix_s);

/* Returns the instant of a civil time. A time that a change of the clocks skipped is read with the
   offset before the change, one that the clocks showed twice with the offset after it. This is
   PostgreSQL's rule for AT TIME ZONE. May be called from any thread. */
int64_t civil_zone_instant(int64_t civil_s);

#endif
