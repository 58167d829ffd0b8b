/* Dates, instants and numbers: what fits is in range, and what kopru writes is read back as the
   same. */
#include "base/civil_time.h"
#include "base/error.h"
#include "base/numeric.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const int64_t FIRST_DAY = -730119; /* 0001-01-01, in days since 2000-01-01 */
static const int64_t LAST_DAY = 2921939;  /* 9999-12-31 */
static const int64_t US_PER_DAY = INT64_C(86400000000);

static void require_date(int64_t pg_days)
{
    struct buffer text;
    int64_t again;
    bool exact;

    REQUIRE(pg_days >= FIRST_DAY && pg_days <= LAST_DAY);
    buffer_init(&text, 64);
    civil_write_date(pg_days, &text);
    REQUIRE(text.len == 10);
    REQUIRE(civil_read_date(buffer_slice(&text), &again, &exact));
    REQUIRE(again == pg_days && exact);
    buffer_release(&text);
}

static void require_instant(int64_t instant_pg_us)
{
    struct civil_moment again;
    struct buffer text;

    REQUIRE(instant_pg_us >= FIRST_DAY * US_PER_DAY && instant_pg_us < (LAST_DAY + 1) * US_PER_DAY);
    buffer_init(&text, 64);
    civil_write_instant(instant_pg_us, &text);
    REQUIRE(!buffer_failed(&text));
    REQUIRE(civil_read_timestamp(buffer_slice(&text), &again));
    REQUIRE(again.instant_pg_us == instant_pg_us && again.exact);
    buffer_release(&text);
}

/* The C library's opinion on YYYY-MM-DDThh:mm:ssZ. */
static void require_agreement(struct slice text, const struct civil_moment *moment)
{
    struct tm tm = { 0 };
    char copy[21];

    if (text.len != 20 || text.data[19] != 'Z')
        return;
    memcpy(copy, text.data, 20);
    copy[20] = '\0';
    if (copy[10] == ' ')
        copy[10] = 'T';
    REQUIRE(strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm) != NULL);
    REQUIRE(((int64_t)timegm(&tm) - INT64_C(946684800)) * 1000000 == moment->instant_pg_us);
}

static void try_times(struct slice text)
{
    struct civil_moment moment = { 0 };
    bool is_timestamp = civil_read_timestamp(text, &moment);
    int64_t pg_days = 0;
    bool exact = false;
    bool is_date = civil_read_date(text, &pg_days, &exact);

    /* A bare day may be in the years of a date while its midnight is outside those of an
       instant. */
    REQUIRE(is_date == is_timestamp || (is_date && text.len == 10));
    if (!is_timestamp)
        return;
    require_instant(moment.instant_pg_us);
    require_agreement(text, &moment);
    REQUIRE(pg_days == moment.date_pg_days);
    REQUIRE(exact == (text.len == 10));
    require_date(pg_days);
    if (text.data[text.len - 1] == 'Z')
        REQUIRE(civil_date_of(moment.instant_pg_us) == pg_days);
}

static void try_number(struct slice text)
{
    struct numeric number;
    struct numeric again;
    struct buffer first;
    struct buffer second;

    if (!numeric_parse(text, &number) || !numeric_fits(&number))
        return;
    buffer_init(&first, 8192);
    buffer_init(&second, 8192);
    numeric_write(&number, &first);
    REQUIRE(!buffer_failed(&first));
    REQUIRE(numeric_parse(buffer_slice(&first), &again));
    REQUIRE(!again.has_exponent);
    numeric_write(&again, &second);
    REQUIRE(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    buffer_release(&first);
    buffer_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    char *copy = fuzz_copy(data, size);
    struct error err;

    if (!ready)
        REQUIRE(civil_zone_set("Europe/Istanbul", &err) == 0);
    ready = true;
    try_times((struct slice){ copy, size });
    try_number((struct slice){ copy, size });
    free(copy);
    return 0;
}
