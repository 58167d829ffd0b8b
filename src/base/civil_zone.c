#include "base/civil_zone.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define S_PER_DAY INT64_C(86400)

enum { LONGEST_NAME = 200 };

/* A name is a path below the tzdata directory. It must not lead out of there, and TZ must not take
   it for a POSIX rule. Zones below right/ count leap seconds, which PostgreSQL does not. */
static bool is_zone_name(const char *iana)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";

    return iana[0] != '\0' && iana[0] != '/' && strlen(iana) <= LONGEST_NAME &&
           iana[strspn(iana, allowed)] == '\0' && strncmp(iana, "right/", 6) != 0;
}

bool civil_zone_exists(const char *iana)
{
    const char *directory = getenv("TZDIR");
    char path[512];
    char magic[4] = "";
    FILE *file;
    int len;

    if (!is_zone_name(iana))
        return false;
    len = snprintf(path, sizeof(path), "%s/%s",
                   directory != NULL ? directory : "/usr/share/zoneinfo", iana);
    if (len < 0 || (size_t)len >= sizeof(path))
        return false;
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    len = (int)fread(magic, 1, sizeof(magic), file);
    fclose(file);
    return len == (int)sizeof(magic) && memcmp(magic, "TZif", sizeof(magic)) == 0;
}

/* Grows with each call of civil_zone_set(), so that no thread keeps the offsets of an earlier zone.
   It is 0 until the first call, while the zone is UTC. */
static unsigned zone_generation;

int civil_zone_set(const char *iana, struct error *err)
{
    char value[LONGEST_NAME + 2];

    if (!civil_zone_exists(iana)) {
        error_set(err, ERROR_CONFIG, "unknown time zone", iana,
                  "the system's tzdata has no such zone");
        return error_hint(err, "give an IANA name such as Europe/Istanbul, and check that the "
                               "package tzdata is installed");
    }
    snprintf(value, sizeof(value), ":%s", iana);
    if (setenv("TZ", value, 1) != 0)
        return error_set(err, ERROR_INTERNAL, "cannot set the time zone", iana, "%s",
                         strerror(errno));
    tzset();
    zone_generation++;
    return 0;
}

static int64_t look_up_offset(int64_t unix_s)
{
    time_t instant = (time_t)unix_s;
    struct tm local;

    if (zone_generation == 0 || localtime_r(&instant, &local) == NULL)
        return 0;
    return local.tm_gmtoff;
}

/* localtime_r() takes a lock and some hundred nanoseconds, so each thread keeps the offsets at both
   ends of a UTC day. No zone ever changed its clocks twice within a day and ended as it began, so
   equal offsets at both ends mean that there is one offset for the whole day. */
struct cached_day {
    int64_t day;
    unsigned generation;
    int32_t first;
    int32_t last;
};

enum { CACHED_DAYS = 256 };

static _Thread_local struct cached_day cache[CACHED_DAYS];

int64_t civil_zone_offset(int64_t unix_s)
{
    int64_t day = unix_s / S_PER_DAY - (unix_s % S_PER_DAY < 0);
    struct cached_day *cached = &cache[(uint64_t)day % CACHED_DAYS];

    if (cached->day != day || cached->generation != zone_generation)
        *cached = (struct cached_day){
            .day = day,
            .generation = zone_generation,
            .first = (int32_t)look_up_offset(day * S_PER_DAY),
            .last = (int32_t)look_up_offset((day + 1) * S_PER_DAY - 1),
        };
    return cached->first == cached->last ? cached->first : look_up_offset(unix_s);
}

int64_t civil_zone_instant(int64_t civil_s)
{
    int64_t before = civil_s - civil_zone_offset(civil_s - S_PER_DAY);
    int64_t after = civil_s - civil_zone_offset(civil_s + S_PER_DAY);

    if (before == after || civil_s - civil_zone_offset(after) != after)
        return before;
    return after;
}
