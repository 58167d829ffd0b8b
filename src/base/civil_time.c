/*
 * The forms that the ERP writes are read by hand, because strptime() skips white space, accepts
 * fewer digits and follows the locale. The calendar is the C library's: timegm() and gmtime_r()
 * count the proleptic Gregorian calendar without leap seconds, as PostgreSQL does, for every day of
 * the years 0001 to 9999. Inside this file times are seconds since 1970-01-01, which is what the C
 * library and civil_zone speak; only the functions of the header convert to PostgreSQL's epoch.
 */
#include "base/civil_time.h"

#include "base/clock.h"

#include <time.h>

#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)
#define YEAR_0001_S INT64_C(-62135596800) /* 0001-01-01 00:00 UTC */
#define YEAR_10000_S INT64_C(253402300800)

enum { FIRST_YEAR = 1, LONGEST_OFFSET_HOUR = 15 };

static int64_t floor_div(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;

    return quotient - (value % divisor < 0);
}

static bool in_years(int64_t seconds)
{
    return seconds >= YEAR_0001_S && seconds < YEAR_10000_S;
}

static int64_t pg_days_of(int64_t seconds)
{
    return floor_div(seconds - POSTGRES_EPOCH_S, S_PER_DAY);
}

int64_t civil_date_of(int64_t instant_pg_us)
{
    int64_t unix_s = floor_div(instant_pg_us, US_PER_S) + POSTGRES_EPOCH_S;

    return pg_days_of(unix_s + civil_zone_offset(unix_s));
}

/* Takes exactly count digits. */
static bool take_number(struct slice *text, size_t count, int *number)
{
    *number = 0;
    if (text->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
        *number = *number * 10 + (text->data[i] - '0');
    }
    text->data += count;
    text->len -= count;
    return true;
}

static bool take_byte(struct slice *text, char byte)
{
    if (text->len == 0 || text->data[0] != byte)
        return false;
    text->data++;
    text->len--;
    return true;
}

/* timegm() takes a lock and some 600 instructions, which would be 2 % of a message with many dates.
   So each thread keeps the months that it last met. */
struct cached_month {
    int number; /* months since the year 0 */
    int days;
    int64_t first_s; /* its first midnight */
};

enum { CACHED_MONTHS = 256 };

static _Thread_local struct cached_month months[CACHED_MONTHS];

static int64_t first_midnight(int year, int month)
{
    struct tm first = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1 };

    return timegm(&first);
}

/* A month of the years 0001 to 9999. timegm() takes month 13 for the next January. */
static const struct cached_month *look_up_month(int year, int month)
{
    int number = year * 12 + month - 1;
    struct cached_month *cached = &months[number % CACHED_MONTHS];

    if (cached->number != number) {
        cached->number = number;
        cached->first_s = first_midnight(year, month);
        cached->days = (int)((first_midnight(year, month + 1) - cached->first_s) / S_PER_DAY);
    }
    return cached;
}

static bool take_date(struct slice *text, int64_t *midnight_s)
{
    const struct cached_month *found;
    int year;
    int month;
    int day;

    if (!take_number(text, 4, &year) || !take_byte(text, '-') || !take_number(text, 2, &month) ||
        !take_byte(text, '-') || !take_number(text, 2, &day))
        return false;
    if (year < FIRST_YEAR || month < 1 || month > 12)
        return false;
    found = look_up_month(year, month);
    *midnight_s = found->first_s + (day - 1) * S_PER_DAY;
    return day >= 1 && day <= found->days;
}

/* Takes the digits after the point, at least one. */
static bool take_fraction(struct slice *text, int64_t *fraction_us, bool *exact)
{
    int64_t weight = US_PER_S / 10;
    int digit;

    if (!take_number(text, 1, &digit))
        return false;
    do {
        *fraction_us += digit * weight;
        if (weight == 0 && digit != 0)
            *exact = false;
        weight /= 10;
    } while (take_number(text, 1, &digit));
    return true;
}

/* Takes hh:mm[:ss[.f]]. */
static bool take_time(struct slice *text, int64_t *time_us, bool *exact)
{
    int64_t fraction_us = 0;
    int hour;
    int minute;
    int second = 0;

    if (!take_number(text, 2, &hour) || !take_byte(text, ':') || !take_number(text, 2, &minute))
        return false;
    if (take_byte(text, ':')) {
        if (!take_number(text, 2, &second))
            return false;
        if (take_byte(text, '.') && !take_fraction(text, &fraction_us, exact))
            return false;
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *time_us = (hour * INT64_C(3600) + minute * INT64_C(60) + second) * US_PER_S + fraction_us;
    return true;
}

/* Takes Z, +-hh:mm or +-hhmm. */
static bool take_offset(struct slice *text, int64_t *offset_s)
{
    bool west;
    int hour;
    int minute;

    *offset_s = 0;
    if (take_byte(text, 'Z'))
        return true;
    west = take_byte(text, '-');
    if ((!west && !take_byte(text, '+')) || !take_number(text, 2, &hour))
        return false;
    take_byte(text, ':');
    if (!take_number(text, 2, &minute) || hour > LONGEST_OFFSET_HOUR || minute > 59)
        return false;
    *offset_s = (hour * INT64_C(3600) + minute * INT64_C(60)) * (west ? -1 : 1);
    return true;
}

bool civil_read_timestamp(struct slice text, struct civil_moment *moment)
{
    int64_t midnight_s;
    int64_t time_us = 0;
    int64_t offset_s = 0;
    int64_t civil_s;
    int64_t unix_s;
    bool has_offset;

    *moment = (struct civil_moment){ .exact = true };
    if (!take_date(&text, &midnight_s))
        return false;
    if (text.len > 0) {
        if (!take_byte(&text, 'T') && !take_byte(&text, ' '))
            return false;
        if (!take_time(&text, &time_us, &moment->exact))
            return false;
    }
    has_offset = text.len > 0;
    if (has_offset && (!take_offset(&text, &offset_s) || text.len > 0))
        return false;
    civil_s = midnight_s + time_us / US_PER_S;
    unix_s = has_offset ? civil_s - offset_s : civil_zone_instant(civil_s);
    if (!in_years(unix_s))
        return false;
    moment->instant_pg_us = (unix_s - POSTGRES_EPOCH_S) * US_PER_S + time_us % US_PER_S;
    if (has_offset)
        civil_s = unix_s + civil_zone_offset(unix_s);
    moment->date_pg_days = pg_days_of(civil_s);
    return in_years(civil_s);
}

bool civil_read_date(struct slice text, int64_t *pg_days, bool *exact)
{
    struct civil_moment moment;
    struct slice rest = text;
    int64_t midnight_s;

    *exact = take_date(&rest, &midnight_s) && rest.len == 0;
    if (*exact) {
        *pg_days = pg_days_of(midnight_s);
        return true;
    }
    if (!civil_read_timestamp(text, &moment))
        return false;
    *pg_days = moment.date_pg_days;
    return true;
}

static struct tm calendar(int64_t seconds)
{
    time_t instant = (time_t)seconds;
    struct tm result = { 0 };

    gmtime_r(&instant, &result);
    return result;
}

static void write_date(const struct tm *date, struct buffer *out)
{
    buffer_append_format(out, "%04d-%02d-%02d", date->tm_year + 1900, date->tm_mon + 1,
                         date->tm_mday);
}

void civil_write_date(int64_t pg_days, struct buffer *out)
{
    struct tm date = calendar(pg_days * S_PER_DAY + POSTGRES_EPOCH_S);

    write_date(&date, out);
}

static void write_fraction(int fraction_us, struct buffer *out)
{
    int width = 6;

    while (fraction_us % 10 == 0) {
        fraction_us /= 10;
        width--;
    }
    buffer_append_format(out, ".%0*d", width, fraction_us);
}

void civil_write_instant(int64_t instant_pg_us, struct buffer *out)
{
    int64_t instant_pg_s = floor_div(instant_pg_us, US_PER_S);
    int fraction_us = (int)(instant_pg_us - instant_pg_s * US_PER_S);
    struct tm time = calendar(instant_pg_s + POSTGRES_EPOCH_S);

    write_date(&time, out);
    buffer_append_format(out, "T%02d:%02d:%02d", time.tm_hour, time.tm_min, time.tm_sec);
    if (fraction_us != 0)
        write_fraction(fraction_us, out);
    buffer_append_byte(out, 'Z');
}
