/* What goes to `extra`, where it is there, and what does not go there. */
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
    "columns = ( { column = 'a'; path = [ 'deep.er.a', 'deep.a', 'a' ]; }, { column = 'n'; path = "
    "[ 'deep.n', 'n' ]; type = 'numeric'; } );\n"
    "children = ( { table = 'parts'; arrays = [ 'part' ]; key = ( { column = 'position'; ordinal = "
    "true; } );\n"
    "               columns = ( { column = 'a'; path = [ 'deep.a', 'a' ]; } ); } );\n";

static void expect(struct fixture *fixture, const char *payload, const char *leftovers,
                   unsigned misfits)
{
    if (fixture->mapping == NULL)
        fixture_load_text(fixture, ENTITY);
    fixture_accept(fixture, payload);
    assert_leftovers(fixture, leftovers);
    assert_counts(fixture, misfits, 0);
}

/* The extra of the one element of `part`. */
static void expect_extra(struct fixture *fixture, const char *element, const char *extra)
{
    char payload[1024];
    char quoted[1024];
    char *quote;

    if (fixture->mapping == NULL)
        fixture_load_text(fixture, ENTITY);
    snprintf(payload, sizeof(payload), "{'id':'1','part':[%s]}", element);
    snprintf(quoted, sizeof(quoted), "%s", extra);
    while ((quote = strchr(quoted, '\'')) != NULL)
        *quote = '"';
    fixture_accept(fixture, payload);
    assert_text(fixture_cell(fixture, 0, 0, "extra"), quoted);
    assert_leftovers(fixture, "{}");
}

static void what_a_column_holds_is_not_repeated(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "{'id':'1','a':'x'}", "{}", 0);
    assert_text(fixture_root(fixture, "a"), "x");
    expect(fixture, "{'id':'1','deep':{'er':{'a':'x'},'n':1}}", "{}", 0);
    assert_text(fixture_root(fixture, "a"), "x");
}

static void unknown_names_keep_their_nesting_in_jsonb_s_order(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture,
           "{'id':'1','zz':1e2,'y':{'bb':1,'a':[1.10,{}]},'deep':{'x':1,'er':{'a':'A','y':2}}}",
           "{'y': {'a': [1.10, {}], 'bb': 1}, 'zz': 100, 'deep': {'x': 1, 'er': {'y': 2}}}", 0);
}

static void nulls_are_kept_only_below_the_top_and_of_unknown_names(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "{'id':'1','x':null,'a':null,'deep':null,'part':null}", "{}", 0);
    expect(fixture, "{'id':'1','x':{'y':null},'deep':{'a':null,'x':null,'er':null}}",
           "{'x': {'y': null}, 'deep': {'x': null}}", 0);
    expect_extra(fixture, "{'x':null,'a':null,'deep':{'a':null,'y':null}}",
                 "{'x': null, 'deep': {'y': null}}");
    expect_extra(fixture, "{'deep':null}", "{}");
}

static void an_emptied_object_is_dropped(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "{'id':'1','deep':{'er':{'a':'x'}}}", "{}", 0);
    expect(fixture, "{'id':'1','deep':{'er':{}}}", "{}", 0);
    expect(fixture, "{'id':'1','x':{},'y':{'z':{}}}", "{'x': {}, 'y': {'z': {}}}", 0);
}

static void a_scalar_in_place_of_an_object_stays_and_counts_once(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "{'id':'1','deep':'x','a':'y'}", "{'deep': 'x'}", 1);
    assert_text(fixture_root(fixture, "a"), "y");
    expect(fixture, "{'id':'1','deep':{'er':[{'a':1}]}}", "{'deep': {'er': [{'a': 1}]}}", 1);
    assert_absent(fixture_root(fixture, "a"));
}

static void the_first_alternative_that_is_there_feeds_the_column(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "{'a':'3','id':'1','deep':{'a':'2','er':{'a':'1'}}}",
           "{'a': '3', 'deep': {'a': '2'}}", 0);
    assert_text(fixture_root(fixture, "a"), "1");
    expect(fixture, "{'a':'3','id':'1','deep':{'a':'2','er':{'a':null}}}", "{'a': '3'}", 0);
    assert_text(fixture_root(fixture, "a"), "2");
    expect(fixture, "{'a':'3','id':'1','deep':{'a':null}}", "{}", 0);
    assert_text(fixture_root(fixture, "a"), "3");
    expect(fixture, "{'a':'3','id':'1','deep':{'a':''}}", "{'a': '3'}", 0);
    assert_text(fixture_root(fixture, "a"), "");
}

static void an_equal_alternative_is_not_repeated(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "{'a':'\\u0041','id':'1','deep':{'a':'A'}}", "{}", 0);
    expect(fixture, "{'a':5,'id':'1','deep':{'a':'5'}}", "{'a': 5}", 0);
    expect(fixture, "{'n':1e1,'id':'1','deep':{'n':10}}", "{}", 0);
    expect(fixture, "{'n':10.0,'id':'1','deep':{'n':10}}", "{'n': 10.0}", 0);
}

static void a_misfit_does_not_pass_to_the_next_alternative(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "{'n':1,'id':'1','deep':{'n':'x'}}", "{'n': 1, 'deep': {'n': 'x'}}", 1);
    assert_absent(fixture_root(fixture, "n"));
    expect(fixture, "{'n':['x'],'id':'1','deep':{'n':1}}", "{'n': ['x']}", 0);
    assert_text(fixture_root(fixture, "n"), "1");
}

static void the_last_of_equal_names_wins(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture,
           "{'id':'0','x':1,'a':'y','\\u0061':'z','x':2,'id':'1','deep':{'er':1},'deep':{'q':1}}",
           "{'x': 2, 'deep': {'q': 1}}", 0);
    assert_text(fixture_root(fixture, "a"), "z");
    assert_text(fixture_root(fixture, "thing_id"), "1");
}

static void names_are_compared_decoded_and_written_as_jsonb_writes_them(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture,
           "{'\\u0069d':'1','\\u0070art':[],'de\\u0065p':{'\\u0061':'x','\\u00fc':'\\/\\t'}}",
           "{'deep': {'\xC3\xBC': '/\\t'}}", 0);
    assert_text(fixture_root(fixture, "a"), "x");
    assert_true(fixture->change->set_present[0]);
}

static void a_child_s_extra_is_its_own(void **state)
{
    struct fixture *fixture = *state;

    expect_extra(fixture, "{'id':'x','a':'y'}", "{'id': 'x'}");
    expect_extra(fixture, "{}", "{}");
    expect_extra(fixture, "{'deep':{'a':'1'},'a':'2','b':{'c':{}}}", "{'a': '2', 'b': {'c': {}}}");
    expect_extra(fixture, "{'a':{'b':1}}", "{'a': {'b': 1}}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_column_holds_is_not_repeated),
        TEST(unknown_names_keep_their_nesting_in_jsonb_s_order),
        TEST(nulls_are_kept_only_below_the_top_and_of_unknown_names),
        TEST(an_emptied_object_is_dropped),
        TEST(a_scalar_in_place_of_an_object_stays_and_counts_once),
        TEST(the_first_alternative_that_is_there_feeds_the_column),
        TEST(an_equal_alternative_is_not_repeated),
        TEST(a_misfit_does_not_pass_to_the_next_alternative),
        TEST(the_last_of_equal_names_wins),
        TEST(names_are_compared_decoded_and_written_as_jsonb_writes_them),
        TEST(a_child_s_extra_is_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
