/* What fits each type by the contract. The conversion is tested where it is used, in a column. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char ENTITY[] =
    "entity = 'thing'; table = 'things'; key = { column = 'thing_id'; path = 'id'; };\n"
    "columns = ( { column = 't'; path = 't'; },\n"
    "            { column = 'n'; path = 'n'; type = 'numeric'; },\n"
    "            { column = 'd'; path = 'd'; type = 'date'; },\n"
    "            { column = 'i'; path = 'i'; type = 'timestamptz'; date_column = 'i_date'; },\n"
    "            { column = 'b'; path = 'b'; type = 'boolean'; } );\n";

#define DAY_2021_08_13 INT64_C(7895)

#define US INT64_C(1000000)
#define MIDNIGHT_US                                                                                \
    ((DAY_2021_08_13 * 86400 - INT64_C(3) * 3600) * US) /* of the 13th in Istanbul */

/* Maps one member and returns its column. */
static const struct value *convert(struct fixture *fixture, const char *name, const char *value)
{
    char payload[4096];

    if (fixture->mapping == NULL)
        fixture_load_text(fixture, ENTITY);
    snprintf(payload, sizeof(payload), "{'id':'1','%s':%s}", name, value);
    fixture_accept(fixture, payload);
    return fixture_root(fixture, name);
}

/* The value fits, and no part of it is left over. */
static const struct value *fits(struct fixture *fixture, const char *name, const char *value)
{
    const struct value *converted = convert(fixture, name, value);

    assert_counts(fixture, 0, 0);
    assert_leftovers(fixture, "{}");
    return converted;
}

static void does_not_fit(struct fixture *fixture, const char *name, const char *value)
{
    char leftovers[4096];

    assert_absent(convert(fixture, name, value));
    assert_counts(fixture, 1, 0);
    snprintf(leftovers, sizeof(leftovers), "{'%s': %s}", name, value);
    assert_leftovers(fixture, leftovers);
    assert_true(fixture_sets(fixture, name));
}

static void text_takes_any_scalar_as_its_text(void **state)
{
    struct fixture *fixture = *state;

    assert_text(fits(fixture, "t", "''"), "");
    assert_text(fits(fixture, "t", "' \\u015e\\n'"), " \xC5\x9E\n");
    assert_text(fits(fixture, "t", "1.50"), "1.50");
    assert_text(fits(fixture, "t", "-0"), "-0");
    assert_text(fits(fixture, "t", "1E+5"), "1E+5");
    assert_text(fits(fixture, "t", "true"), "true");
    assert_text(fits(fixture, "t", "false"), "false");
    assert_absent(fits(fixture, "t", "null"));
    does_not_fit(fixture, "t", "{}");
    does_not_fit(fixture, "t", "[]");
    does_not_fit(fixture, "t", "{'t': null}");
}

static void numeric_takes_numbers_and_their_spelling(void **state)
{
    struct fixture *fixture = *state;

    assert_text(fits(fixture, "n", "0.0"), "0.0");
    assert_text(fits(fixture, "n", "'0.0'"), "0.0");
    assert_text(fits(fixture, "n", "'-1e3'"), "-1000");
    assert_text(fits(fixture, "n", "1.5E-3"), "0.0015");
    assert_text(fits(fixture, "n", "-0"), "0");
    assert_text(fits(fixture, "n", "-1.10"), "-1.10");
    assert_text(fits(fixture, "n", "123456789012345678901234567890"),
                "123456789012345678901234567890");
    assert_int_equal(fits(fixture, "n", "1e1000")->len, 1001);
    assert_int_equal(fits(fixture, "n", "'1e-1000'")->len, 1002);
    assert_absent(fits(fixture, "n", "null"));
    does_not_fit(fixture, "n", "''");
    does_not_fit(fixture, "n", "' 1'");
    does_not_fit(fixture, "n", "'1 '");
    does_not_fit(fixture, "n", "'1,5'");
    does_not_fit(fixture, "n", "'+1'");
    does_not_fit(fixture, "n", "'01'");
    does_not_fit(fixture, "n", "'1.'");
    does_not_fit(fixture, "n", "'.5'");
    does_not_fit(fixture, "n", "'0x10'");
    does_not_fit(fixture, "n", "'NaN'");
    does_not_fit(fixture, "n", "'Infinity'");
    does_not_fit(fixture, "n", "1e1001");
    does_not_fit(fixture, "n", "'1e-1001'");
    does_not_fit(fixture, "n", "true");
    does_not_fit(fixture, "n", "[1]");
}

static void numeric_takes_a_thousand_digits(void **state)
{
    struct fixture *fixture = *state;
    char digits[1003];

    memset(digits, '7', sizeof(digits));
    digits[1000] = '\0';
    assert_text(fits(fixture, "n", digits), digits);
    digits[1000] = '7';
    digits[1001] = '\0';
    does_not_fit(fixture, "n", digits);
    digits[1] = '.';
    assert_int_equal(fits(fixture, "n", digits)->len, 1001);
}

static void date_takes_a_day(void **state)
{
    struct fixture *fixture = *state;

    assert_number(fits(fixture, "d", "'2021-08-13'"), DAY_2021_08_13);
    assert_number(fits(fixture, "d", "'2000-02-29'"), 59);
    does_not_fit(fixture, "d", "'2021-02-29'");
    does_not_fit(fixture, "d", "'0000-01-01'");
    does_not_fit(fixture, "d", "'2021-8-13'");
    does_not_fit(fixture, "d", "'20210813'");
    does_not_fit(fixture, "d", "'2021-08-13 '");
    does_not_fit(fixture, "d", "''");
    does_not_fit(fixture, "d", "20210813");
    does_not_fit(fixture, "d", "'now'");
}

static void date_of_a_timestamp_leaves_the_time_in_extra(void **state)
{
    struct fixture *fixture = *state;

    assert_number(convert(fixture, "d", "'2021-08-12T21:30:00Z'"), DAY_2021_08_13);
    assert_counts(fixture, 0, 0);
    assert_leftovers(fixture, "{'d': '2021-08-12T21:30:00Z'}");
}

static void an_instant_has_its_civil_date_beside_it(void **state)
{
    struct fixture *fixture = *state;

    assert_number(fits(fixture, "i", "'2021-08-13'"), MIDNIGHT_US);
    assert_number(fixture_root(fixture, "i_date"), DAY_2021_08_13);
    assert_number(fits(fixture, "i", "'2021-08-12T22:00Z'"), MIDNIGHT_US + 3600 * US);
    assert_number(fixture_root(fixture, "i_date"), DAY_2021_08_13);
    assert_number(fits(fixture, "i", "'2021-08-13 23:59:59.999999+0300'"),
                  MIDNIGHT_US + 86400 * US - 1);
    assert_number(fixture_root(fixture, "i_date"), DAY_2021_08_13);
    assert_absent(fits(fixture, "i", "null"));
    assert_absent(fixture_root(fixture, "i_date"));
    assert_true(fixture_sets(fixture, "i_date"));
    does_not_fit(fixture, "i", "'2021-08-13T24:00'");
    assert_absent(fixture_root(fixture, "i_date"));
    does_not_fit(fixture, "i", "'2021-08-13T10:00:60'");
    does_not_fit(fixture, "i", "'2021-08-13T10'");
    does_not_fit(fixture, "i", "1628802000");
}

static void cut_digits_stay_in_extra(void **state)
{
    struct fixture *fixture = *state;

    assert_number(convert(fixture, "i", "'2021-08-13T00:00:00.1234567'"), MIDNIGHT_US + 123456);
    assert_number(fixture_root(fixture, "i_date"), DAY_2021_08_13);
    assert_counts(fixture, 0, 0);
    assert_leftovers(fixture, "{'i': '2021-08-13T00:00:00.1234567'}");
}

static void boolean_takes_two_words(void **state)
{
    struct fixture *fixture = *state;

    assert_number(fits(fixture, "b", "true"), 1);
    assert_number(fits(fixture, "b", "false"), 0);
    assert_number(fits(fixture, "b", "'TRUE'"), 1);
    assert_number(fits(fixture, "b", "'False'"), 0);
    does_not_fit(fixture, "b", "0");
    does_not_fit(fixture, "b", "1");
    does_not_fit(fixture, "b", "'1'");
    does_not_fit(fixture, "b", "'yes'");
    does_not_fit(fixture, "b", "' true'");
    does_not_fit(fixture, "b", "''");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_takes_any_scalar_as_its_text),
        TEST(numeric_takes_numbers_and_their_spelling),
        TEST(numeric_takes_a_thousand_digits),
        TEST(date_takes_a_day),
        TEST(date_of_a_timestamp_leaves_the_time_in_extra),
        TEST(an_instant_has_its_civil_date_beside_it),
        TEST(cut_digits_stay_in_extra),
        TEST(boolean_takes_two_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
