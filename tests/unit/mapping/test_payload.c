/* Each reason for a dead letter, and that the first one in the contract's order counts. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void load(struct fixture *fixture)
{
    fixture_load(fixture, "etc/entities/subscription.cfg");
}

static void bodies_that_are_no_json_are_refused(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    fixture_refuse(fixture, "", REFUSAL_NOT_JSON, "");
    fixture_refuse(fixture, "\xEF\xBB\xBF", REFUSAL_NOT_JSON, "");
    fixture_refuse(fixture, "{'id':'1'", REFUSAL_NOT_JSON, "");
    fixture_refuse(fixture, "{'id':01}", REFUSAL_NOT_JSON, "");
    fixture_refuse(fixture, "{'id':'1'} x", REFUSAL_NOT_JSON, "");
    fixture_refuse(fixture, "{'id':'1','a':'\xFF'}", REFUSAL_INVALID_UNICODE, "");
    fixture_refuse(fixture, "{'id':'1','a':'\\ud800'}", REFUSAL_INVALID_UNICODE, "");
    fixture_refuse(fixture, "{'id':'1','a':'\\u0000'}", REFUSAL_CONTAINS_NUL, "");
    fixture_refuse(fixture, "[1]", REFUSAL_NOT_OBJECT, "$");
    fixture_refuse(fixture, "null", REFUSAL_NOT_OBJECT, "$");
    fixture_accept(fixture, "\xEF\xBB\xBF {'id':'1'} ");
}

static void a_raw_nul_is_no_json(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    assert_int_equal(fixture_map_bytes(fixture, "{\"id\":\"1\"}", 11), MAP_REFUSED);
    assert_int_equal(fixture->refusal.reason, REFUSAL_NOT_JSON);
}

static void the_offset_counts_from_the_first_byte(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    fixture_refuse(fixture, "\xEF\xBB\xBF{!", REFUSAL_NOT_JSON, "");
    assert_non_null(strstr(fixture->refusal.detail, "offset 4"));
}

static void size_and_depth_have_limits(void **state)
{
    struct fixture *fixture = *state;
    char *body = malloc(60001);

    assert_non_null(body);
    load(fixture);
    memset(body, '\xFF', 60001);
    assert_int_equal(fixture_map_bytes(fixture, body, 60001), MAP_REFUSED);
    assert_int_equal(fixture->refusal.reason, REFUSAL_TOO_LARGE);
    assert_int_equal(fixture_map_bytes(fixture, body, 60000), MAP_REFUSED);
    assert_int_equal(fixture->refusal.reason, REFUSAL_INVALID_UNICODE);
    memset(body, '[', 65);
    assert_int_equal(fixture_map_bytes(fixture, body, 65), MAP_REFUSED);
    assert_int_equal(fixture->refusal.reason, REFUSAL_TOO_DEEP);
    assert_int_equal(fixture_map_bytes(fixture, body, 64), MAP_REFUSED);
    assert_int_equal(fixture->refusal.reason, REFUSAL_NOT_JSON);
    free(body);
}

static void ids_are_strings_or_integers(void **state)
{
    struct fixture *fixture = *state;
    char payload[300];
    char digits[256];

    load(fixture);
    fixture_refuse(fixture, "{}", REFUSAL_MISSING_ID, "$.id");
    fixture_refuse(fixture, "{'id':null}", REFUSAL_MISSING_ID, "$.id");
    fixture_refuse(fixture, "{'id':''}", REFUSAL_INVALID_ID, "$.id");
    fixture_refuse(fixture, "{'id':1.0}", REFUSAL_INVALID_ID, "$.id");
    fixture_refuse(fixture, "{'id':1e2}", REFUSAL_INVALID_ID, "$.id");
    fixture_refuse(fixture, "{'id':true}", REFUSAL_INVALID_ID, "$.id");
    fixture_refuse(fixture, "{'id':{}}", REFUSAL_INVALID_ID, "$.id");
    fixture_refuse(fixture, "{'id':['1']}", REFUSAL_INVALID_ID, "$.id");
    fixture_accept(fixture, "{'id':-0}");
    assert_text(fixture_root(fixture, "subscription_id"), "-0");
    fixture_accept(fixture, "{'id':123456789012345678901234567890}");
    assert_text(fixture_root(fixture, "subscription_id"), "123456789012345678901234567890");
    fixture_accept(fixture, "{'id':' \\u0041 '}");
    assert_text(fixture_root(fixture, "subscription_id"), " A ");

    memset(digits, '1', sizeof(digits));
    snprintf(payload, sizeof(payload), "{'id':'%.255s'}", digits);
    fixture_accept(fixture, payload);
    assert_int_equal(fixture->change->id.len, 255);
    snprintf(payload, sizeof(payload), "{'id':'%.256s'}", digits);
    fixture_refuse(fixture, payload, REFUSAL_INVALID_ID, "$.id");
    snprintf(payload, sizeof(payload), "{'id':%.256s}", digits);
    fixture_refuse(fixture, payload, REFUSAL_INVALID_ID, "$.id"); /* an integer is a key, too */
}

static void a_scalar_in_place_of_an_array_is_refused(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    fixture_refuse(fixture, "{'id':'9','engagedParty':7}", REFUSAL_INVALID_STRUCTURE,
                   "$.engagedParty");
    assert_int_equal(fixture->refusal.entity_id.len, 1);
    assert_memory_equal(fixture->refusal.entity_id.data, "9", 1);
    assert_true(fixture->refusal.entity_id.data < fixture->body ||
                fixture->refusal.entity_id.data >= fixture->body + sizeof(fixture->body));
    fixture_refuse(fixture, "{'id':'9','characteristic':''}", REFUSAL_INVALID_STRUCTURE,
                   "$.characteristic");
    fixture_refuse(fixture, "{'id':'9','properties':false}", REFUSAL_INVALID_STRUCTURE,
                   "$.properties");
}

static void an_object_that_numbers_the_elements_is_refused(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    fixture_refuse(fixture, "{'id':'1','engagedParty':{'0':{'id':'7'},'2':{'id':'8'}}}",
                   REFUSAL_INVALID_STRUCTURE, "$.engagedParty");
    assert_int_equal(fixture->refusal.entity_id.len, 1);
    fixture_refuse(fixture, "{'id':'1','properties':{'-12':7}}", REFUSAL_INVALID_STRUCTURE,
                   "$.properties");
    fixture_refuse(fixture, "{'id':'1','properties':{'\\u0030':{},'length':1}}",
                   REFUSAL_INVALID_STRUCTURE, "$.properties");
    fixture_accept(fixture, "{'id':'1','engagedParty':{'0':{},'id':'7'}}");
    fixture_accept(fixture, "{'id':'1','engagedParty':{'id':'7','0':{}}}");
    fixture_accept(fixture, "{'id':'1','engagedParty':{}}");
    fixture_accept(fixture, "{'id':'1','engagedParty':{'':1,'-':1,'1a':1,'0x1':1}}");
    fixture_accept(fixture, "{'id':'1','engagedParty':[{'0':{}}]}");
}

/* A site's element may have a number for a name. */
static void a_number_that_the_entity_file_has_is_a_name(void **state)
{
    struct fixture *fixture = *state;

    fixture_load_text(
        fixture, "entity='e'; table='t'; key={column='k';path='id';}; columns=({column='c';path="
                 "'c';}); children=({table='u'; arrays=['a']; key=({column='n';ordinal=true;});"
                 "columns=({column='one';path='1';});});");
    fixture_accept(fixture, "{'id':'1','a':{'1':'x'}}");
    fixture_refuse(fixture, "{'id':'1','a':{'2':'x'}}", REFUSAL_INVALID_STRUCTURE, "$.a");
}

static void the_first_reason_is_told(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    fixture_refuse(fixture, "{'a':'\\u0000 \xC0'}", REFUSAL_INVALID_UNICODE, "");
    fixture_refuse(fixture, "{'a':'\\u0000'", REFUSAL_NOT_JSON, "");
    fixture_refuse(fixture, "{'a':'\\udc00 \\u0000'}", REFUSAL_CONTAINS_NUL, "");
    fixture_refuse(fixture, "['\\udc00']", REFUSAL_INVALID_UNICODE, "");
    fixture_refuse(fixture, "{'engagedParty':7}", REFUSAL_MISSING_ID, "$.id");
    fixture_refuse(fixture, "{'id':'','engagedParty':7}", REFUSAL_INVALID_ID, "$.id");
    assert_null(fixture->refusal.entity_id.data);
}

static void details_hold_no_values(void **state)
{
    static const char *const bodies[] = { "{'id':'1','engagedParty':'SECRET'}", "{'id':['SECRET']}",
                                          "'SECRET'", "{'SECRET",
                                          "{'id':'1','a':'SECRET\\u0000'}" };
    struct fixture *fixture = *state;

    load(fixture);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(fixture_map(fixture, bodies[i]), MAP_REFUSED);
        assert_null(strstr(fixture->refusal.detail, "SECRET"));
        assert_null(strstr(fixture->refusal.path, "SECRET"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bodies_that_are_no_json_are_refused),
        TEST(a_raw_nul_is_no_json),
        TEST(the_offset_counts_from_the_first_byte),
        TEST(size_and_depth_have_limits),
        TEST(ids_are_strings_or_integers),
        TEST(a_scalar_in_place_of_an_array_is_refused),
        TEST(an_object_that_numbers_the_elements_is_refused),
        TEST(a_number_that_the_entity_file_has_is_a_name),
        TEST(the_first_reason_is_told),
        TEST(details_hold_no_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
