#include "base/civil_time.h"

#include <inttypes.h>

#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)
#define UNIX_DAYS INT64_C(10957) /* from 1970-01-01 to 2000-01-01 */

enum { FIRST_YEAR = 1, LAST_YEAR = 9999, LONGEST_OFFSET_HOUR = 15 };

static int64_t floor_div(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;

    return quotient - (value % divisor < 0);
}

/* Days of the Gregorian calendar since 2000-01-01. The year is counted from March, so that the leap
   day is its last. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t from_march = year - (month <= 2);
    int64_t era = floor_div(from_march, 400);
    int64_t year_of_era = from_march - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468 - UNIX_DAYS;
}

struct civil_date {
    int64_t year;
    int month;
    int day;
};

static struct civil_date date_of(int64_t days)
{
    int64_t shifted = days + UNIX_DAYS + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);

    return (struct civil_date){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

static bool in_years(int64_t days)
{
    return days >= days_of(FIRST_YEAR, 1, 1) && days <= days_of(LAST_YEAR, 12, 31);
}

static bool is_leap_year(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return lengths[month - 1] + (month == 2 && is_leap_year(year));
}

int64_t civil_date_of(int64_t instant_us)
{
    int64_t unix_s = floor_div(instant_us, US_PER_S) + UNIX_DAYS * S_PER_DAY;

    return floor_div(unix_s + civil_zone_offset(unix_s), S_PER_DAY) - UNIX_DAYS;
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

static bool take_date(struct slice *text, int64_t *days)
{
    int year;
    int month;
    int day;

    if (!take_number(text, 4, &year) || !take_byte(text, '-') || !take_number(text, 2, &month) ||
        !take_byte(text, '-') || !take_number(text, 2, &day))
        return false;
    if (year < FIRST_YEAR || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = days_of(year, month, day);
    return true;
}

/* Takes the digits behind the point, at least one. */
static bool take_fraction(struct slice *text, int64_t *fraction_us, bool *exact)
{
    int64_t weight = US_PER_S / 10;
    int digit;

    if (!take_number(text, 1, &digit))
        return false;
    do {
        *fraction_us += digit * weight;
        if (weight == 0)
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
    int64_t time_us = 0;
    int64_t offset_s = 0;
    int64_t civil_s;
    int64_t unix_s;
    bool has_offset;

    *moment = (struct civil_moment){ .exact = true };
    if (!take_date(&text, &moment->days))
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
    civil_s = (moment->days + UNIX_DAYS) * S_PER_DAY + time_us / US_PER_S;
    unix_s = has_offset ? civil_s - offset_s : civil_zone_instant(civil_s);
    if (!in_years(floor_div(unix_s, S_PER_DAY) - UNIX_DAYS))
        return false;
    moment->instant_us = (unix_s - UNIX_DAYS * S_PER_DAY) * US_PER_S + time_us % US_PER_S;
    if (has_offset)
        moment->days = civil_date_of(moment->instant_us);
    moment->has_days = in_years(moment->days);
    return true;
}

bool civil_read_date(struct slice text, int64_t *days, bool *exact)
{
    struct civil_moment moment;
    struct slice rest = text;

    *exact = take_date(&rest, days) && rest.len == 0;
    if (*exact)
        return true;
    if (!civil_read_timestamp(text, &moment) || !moment.has_days)
        return false;
    *days = moment.days;
    return true;
}

void civil_write_date(int64_t days, struct buffer *out)
{
    struct civil_date date = date_of(days);

    buffer_append_format(out, "%04" PRId64 "-%02d-%02d", date.year, date.month, date.day);
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

void civil_write_instant(int64_t instant_us, struct buffer *out)
{
    int64_t instant_s = floor_div(instant_us, US_PER_S);
    int64_t days = floor_div(instant_s, S_PER_DAY);
    int time_s = (int)(instant_s - days * S_PER_DAY);
    int fraction_us = (int)(instant_us - instant_s * US_PER_S);

    civil_write_date(days, out);
    buffer_append_format(out, "T%02d:%02d:%02d", time_s / 3600, time_s / 60 % 60, time_s % 60);
    if (fraction_us != 0)
        write_fraction(fraction_us, out);
    buffer_append_byte(out, 'Z');
}
