/* The name/valueType/value triplets. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NUMERIC = 1, DATE = 2, TIMESTAMP = 4, BOOLEAN = 8 };

static const char *const TYPED[] = { "value_numeric", "value_date", "value_timestamp",
                                     "value_boolean" };

/* Maps one triplet and checks which typed columns it fills. members does not contain the name. */
static void triplet(struct fixture *fixture, const char *members, unsigned filled, unsigned misfits)
{
    char payload[1024];

    if (fixture->mapping == NULL)
        fixture_load(fixture, "etc/entities/subscription.cfg");
    snprintf(payload, sizeof(payload), "{'id':'1','characteristic':[{'name':'N'%s%s}]}",
             members[0] != '\0' ? "," : "", members);
    fixture_accept(fixture, payload);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fixture_cell(fixture, 0, 0, TYPED[i])->present, filled >> i & 1);
    assert_counts(fixture, misfits, 0);
}

static const struct value *cell(struct fixture *fixture, const char *column)
{
    return fixture_cell(fixture, 0, 0, column);
}

static void the_value_is_kept_as_sent(void **state)
{
    static const struct {
        const char *sent;
        const char *kept;
    } cases[] = {
        { "'a b'", "a b" },
        { "''", "" },
        { "'\\u015e'", "\xC5\x9E" },
        { "1.50", "1.50" },
        { "1E2", "1E2" },
        { "true", "true" },
        { "{ 'a' : [1 ] }", "{ \"a\" : [1 ] }" },
        { "[ 1,2]", "[ 1,2]" },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char members[64];

        snprintf(members, sizeof(members), "'value':%s", cases[i].sent);
        triplet(fixture, members, 0, 0);
        assert_text(cell(fixture, "value"), cases[i].kept);
        assert_text(cell(fixture, "extra"), "{}");
        assert_absent(cell(fixture, "value_type"));
    }
    triplet(fixture, "'value':null", 0, 0);
    assert_absent(cell(fixture, "value"));
    triplet(fixture, "", 0, 0);
    assert_absent(cell(fixture, "value"));
}

static void the_type_decides_which_column_is_filled(void **state)
{
    static const char *const numeric[] = { "Float", "Double", "Decimal", "Number", "Integer",
                                           "Long",  "Int",    "fLOAT",   "INT" };
    struct fixture *fixture = *state;
    char members[64];

    for (size_t i = 0; i < sizeof(numeric) / sizeof(numeric[0]); i++) {
        snprintf(members, sizeof(members), "'valueType':'%s','value':'-2e1'", numeric[i]);
        triplet(fixture, members, NUMERIC, 0);
        assert_text(cell(fixture, "value_numeric"), "-20");
        assert_text(cell(fixture, "value"), "-2e1");
        assert_text(cell(fixture, "value_type"), numeric[i]);
    }
    triplet(fixture, "'valueType':'Date','value':'2000-01-11'", DATE, 0);
    assert_number(cell(fixture, "value_date"), 10);
    triplet(fixture, "'valueType':'date','value':'2000-01-10T22:00:00Z'", DATE, 0);
    assert_number(cell(fixture, "value_date"), 10);
    triplet(fixture, "'valueType':'DateTime','value':'2000-01-11T01:00+02:00'", DATE | TIMESTAMP,
            0);
    assert_number(cell(fixture, "value_date"), 10);
    assert_number(cell(fixture, "value_timestamp"), (10 * INT64_C(86400) - 3600) * 1000000);
    triplet(fixture, "'valueType':'TIMESTAMP','value':'2000-01-11'", DATE | TIMESTAMP, 0);
    triplet(fixture, "'valueType':'Boolean','value':'TRUE'", BOOLEAN, 0);
    assert_number(cell(fixture, "value_boolean"), 1);
    triplet(fixture, "'valueType':'boolean','value':false", BOOLEAN, 0);
    triplet(fixture, "'valueType':'String','value':'1'", 0, 0);
    triplet(fixture, "'valueType':' Float','value':'1'", 0, 0);
    triplet(fixture, "'valueType':'','value':'1'", 0, 0);
    triplet(fixture, "'valueType':null,'value':'1'", 0, 0);
}

static void what_does_not_fit_is_counted_and_stands_in_value(void **state)
{
    struct fixture *fixture = *state;

    triplet(fixture, "'valueType':'Float','value':'1,5'", 0, 1);
    assert_text(cell(fixture, "value"), "1,5");
    assert_text(cell(fixture, "extra"), "{}");
    triplet(fixture, "'valueType':'Float','value':''", 0, 1);
    triplet(fixture, "'valueType':'Date','value':20210813", 0, 1);
    triplet(fixture, "'valueType':'DateTime','value':'13.08.2021'", 0, 1);
    triplet(fixture, "'valueType':'Boolean','value':1", 0, 1);
    triplet(fixture, "'valueType':'Int','value':[1]", 0, 1);
    triplet(fixture, "'valueType':'Int','value':null", 0, 0);
    triplet(fixture, "'valueType':'Int'", 0, 0);
}

static void digits_that_a_typed_column_cuts_stand_in_value(void **state)
{
    struct fixture *fixture = *state;

    triplet(fixture, "'valueType':'DateTime','value':'2000-01-11T00:00:00.1234567'",
            DATE | TIMESTAMP, 0);
    assert_text(cell(fixture, "value"), "2000-01-11T00:00:00.1234567");
    assert_text(cell(fixture, "extra"), "{}");
}

static void the_type_is_a_text_column_like_others(void **state)
{
    struct fixture *fixture = *state;

    triplet(fixture, "'valueType':7,'value':'1'", 0, 0);
    assert_text(cell(fixture, "value_type"), "7");
    triplet(fixture, "'valueType':{'n':'Int'},'value':'1'", 0, 1);
    assert_absent(cell(fixture, "value_type"));
    assert_text(cell(fixture, "extra"), "{\"valueType\": {\"n\": \"Int\"}}");
}

static void columns_may_be_left_out(void **state)
{
    struct fixture *fixture = *state;

    fixture_load_text(
        fixture,
        "entity = 'x'; table = 'xs'; key = { column = 'x_id'; path = 'id'; };\n"
        "children = ( { table = 'ys'; arrays = [ 'y' ]; key = ( { column = 'o'; ordinal = true; } "
        ");\n"
        "  typed_value = { type_path = 't'; value_path = 'v.w'; text = 'v'; date = 'd'; }; } );");
    fixture_accept(fixture, "{'id':'1','y':[{'t':'Int','v':{'w':'x'}},{'t':'DateTime','v':{'w':'"
                            "2000-01-02','z':1}},{'v':{}}]}");
    assert_text(fixture_cell(fixture, 0, 0, "v"), "x");
    assert_text(fixture_cell(fixture, 0, 0, "extra"),
                "{\"t\": \"Int\"}"); /* no column holds the type */
    assert_number(fixture_cell(fixture, 0, 1, "d"), 1);
    assert_text(fixture_cell(fixture, 0, 1, "extra"), "{\"t\": \"DateTime\", \"v\": {\"z\": 1}}");
    assert_absent(fixture_cell(fixture, 0, 2, "v"));
    assert_counts(fixture, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_value_is_kept_as_sent),
        TEST(the_type_decides_which_column_is_filled),
        TEST(what_does_not_fit_is_counted_and_stands_in_value),
        TEST(digits_that_a_typed_column_cuts_stand_in_value),
        TEST(the_type_is_a_text_column_like_others),
        TEST(columns_may_be_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
