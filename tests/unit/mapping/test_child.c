/* Arrays as sets of rows: what counts as an element, how rows are numbered, and what happens to
   broken elements. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHARACTERISTIC, PROPERTIES, PARTIES, MEDIUMS = 0 };

static void expect_set(const struct fixture *fixture, size_t set, bool present, size_t count)
{
    assert_int_equal(fixture->change->set_present[set], present);
    assert_int_equal(fixture->change->sets[set].count, count);
}

static void an_array_an_object_and_a_null_are_sets(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "etc/entities/customer.cfg");
    fixture_accept(fixture, "{'id':'1'}");
    expect_set(fixture, MEDIUMS, false, 0);
    fixture_accept(fixture, "{'id':'1','contactMedium':null}");
    expect_set(fixture, MEDIUMS, true, 0);
    fixture_accept(fixture, "{'id':'1','contactMedium':[]}");
    expect_set(fixture, MEDIUMS, true, 0);
    fixture_accept(fixture, "{'id':'1','contactMedium':{}}");
    expect_set(fixture, MEDIUMS, true, 1);
    fixture_accept(fixture, "{'id':'1','contactMedium':[{'city':'A'},{'city':'B'}]}");
    expect_set(fixture, MEDIUMS, true, 2);
    for (size_t row = 0; row < 2; row++) {
        assert_text(fixture_cell(fixture, MEDIUMS, row, "customer_id"), "1");
        assert_number(fixture_cell(fixture, MEDIUMS, row, "position"), (int64_t)row + 1);
        assert_text(fixture_cell(fixture, MEDIUMS, row, "city"), row == 0 ? "A" : "B");
        assert_absent(fixture_cell(fixture, MEDIUMS, row, "valid_from_date"));
        assert_text(fixture_cell(fixture, MEDIUMS, row, "extra"), "{}");
    }
}

static void broken_elements_take_no_position(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "etc/entities/customer.cfg");
    fixture_accept(fixture,
                   "{'id':'1','contactMedium':[7,{'city':'A'},null,['x'],{'city':'B'},true]}");
    expect_set(fixture, MEDIUMS, true, 2);
    assert_number(fixture_cell(fixture, MEDIUMS, 0, "position"), 1);
    assert_number(fixture_cell(fixture, MEDIUMS, 1, "position"), 2);
    assert_leftovers(fixture, "{'contactMedium': [7, null, ['x'], true]}");
    assert_counts(fixture, 0, 4);
}

static void elements_without_a_usable_key_are_broken(void **state)
{
    struct fixture *fixture = *state;
    char payload[400];
    char key[256];

    fixture_load(fixture, "etc/entities/subscription.cfg");
    fixture_accept(fixture, "{'id':'1','engagedParty':[{'id':''},{'id':'9','role':'x'},{'role':['b'"
                            ",'a']},{'id':null},{'id':{}},{'id':1.5}]}");
    expect_set(fixture, PARTIES, true, 1);
    assert_text(fixture_cell(fixture, PARTIES, 0, "customer_id"), "9");
    assert_leftovers(fixture, "{'engagedParty': [{'id': ''}, {'role': ['b', 'a']}, {'id': null}, "
                              "{'id': {}}, {'id': 1.5}]}");
    assert_counts(
        fixture, 0,
        5); /* the role that does not fit is in the broken element and not counted as a misfit */

    fixture_accept(fixture, "{'id':'1','engagedParty':{'role':'x'}}");
    expect_set(fixture, PARTIES, true, 0);
    assert_leftovers(fixture, "{'engagedParty': [{'role': 'x'}]}");

    memset(key, 'k', sizeof(key));
    snprintf(payload, sizeof(payload), "{'id':'1','engagedParty':{'id':'%.255s'}}", key);
    fixture_accept(fixture, payload);
    expect_set(fixture, PARTIES, true, 1);
    snprintf(payload, sizeof(payload), "{'id':'1','engagedParty':{'id':'%.256s'}}", key);
    fixture_accept(fixture, payload);
    expect_set(fixture, PARTIES, true, 0);
    assert_counts(fixture, 0, 1);
}

static void a_broken_row_leaves_nothing_in_the_next(void **state)
{
    struct fixture *fixture = *state;

    fixture_load_text(
        fixture,
        "entity = 'x'; table = 'xs'; key = { column = 'x_id'; path = 'id'; };\n"
        "children = ( { table = 'ys'; arrays = [ 'y' ]; key = ( { column = 'a'; path = 'a'; },\n"
        "  { column = 'b'; path = 'b'; }, { column = 'o'; ordinal_within = 'b'; } );\n"
        "  columns = ( { column = 'd'; path = 'c.d'; } ); } );");
    fixture_accept(fixture, "{'id':'1','y':[{'a':'1','c':7},{'a':'2','b':'3'}]}");
    expect_set(fixture, 0, true, 1);
    assert_text(fixture_cell(fixture, 0, 0, "a"), "2");
    assert_counts(fixture, 0, 1);
}

static void equal_keys_are_numbered_in_payload_order(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "etc/entities/subscription.cfg");
    fixture_accept(fixture,
                   "{'id':'1','characteristic':[{'name':'B','value':'1'},{'name':'A','value':'2'},{"
                   "'name':'B','value':'3'},"
                   "{'name':7},{'name':'B','value':'4'}],'properties':[{'name':'B','value':'5'}]}");
    expect_set(fixture, CHARACTERISTIC, true, 5);
    expect_set(fixture, PROPERTIES, true, 1);
    assert_number(fixture_cell(fixture, CHARACTERISTIC, 0, "occurrence"), 1);
    assert_number(fixture_cell(fixture, CHARACTERISTIC, 1, "occurrence"), 1);
    assert_number(fixture_cell(fixture, CHARACTERISTIC, 2, "occurrence"), 2);
    assert_text(fixture_cell(fixture, CHARACTERISTIC, 2, "value"), "3");
    assert_text(fixture_cell(fixture, CHARACTERISTIC, 3, "name"), "7");
    assert_number(fixture_cell(fixture, CHARACTERISTIC, 4, "occurrence"), 3);
    assert_text(fixture_cell(fixture, CHARACTERISTIC, 4, "bag"), "characteristic");
    assert_text(fixture_cell(fixture, PROPERTIES, 0, "bag"), "properties");
    assert_number(fixture_cell(fixture, PROPERTIES, 0, "occurrence"), 1);
}

static void many_elements_of_one_key_are_numbered(void **state)
{
    struct fixture *fixture = *state;
    char *payload = malloc(60000);
    size_t len;

    assert_non_null(payload);
    fixture_load(fixture, "etc/entities/subscription.cfg");
    len = (size_t)snprintf(payload, 60000, "{'id':'1','characteristic':[{'name':'N'}");
    for (int i = 1; i < 3000; i++)
        len +=
            (size_t)snprintf(payload + len, 60000 - len, ",{'name':'%s'}", i % 2 == 0 ? "N" : "M");
    snprintf(payload + len, 60000 - len, "]}");
    fixture_accept(fixture, payload);
    expect_set(fixture, CHARACTERISTIC, true, 3000);
    for (size_t i = 0; i < 3000; i++)
        assert_number(fixture_cell(fixture, CHARACTERISTIC, i, "occurrence"), (int64_t)i / 2 + 1);
    free(payload);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_array_an_object_and_a_null_are_sets),
        TEST(broken_elements_take_no_position),
        TEST(elements_without_a_usable_key_are_broken),
        TEST(a_broken_row_leaves_nothing_in_the_next),
        TEST(equal_keys_are_numbered_in_payload_order),
        TEST(many_elements_of_one_key_are_numbered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
