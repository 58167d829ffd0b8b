/* Which paths the messages had, and what that says of the entity file. */
#include "mapping/coverage.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char BAG[] = "entity='e'; table='t'; key={column='k';path='id';};"
                          "columns=({column='a';path='a';},{column='b';path=['x.b','b'];});"
                          "children=({table='u'; arrays=['list','other']; array_name_column='bag';"
                          "key=({column='name';path='name';},{column='n';ordinal_within='name';});"
                          "columns=({column='type';path='type';},{column='c';path='c';});"
                          "typed_value={type_path='type';value_path='value';text='value';};});";

static void load(struct fixture *fixture)
{
    fixture_load_text(fixture, BAG);
}

static void accept_often(struct fixture *fixture, const char *payload, int times)
{
    for (int i = 0; i < times; i++)
        fixture_accept(fixture, payload);
}

static void assert_unmatched(const struct fixture *fixture, size_t count, const char *paths)
{
    char text[256];

    assert_int_equal(mapper_unmatched(fixture->mapper, text, sizeof(text)), count);
    assert_string_equal(text, paths);
}

static void assert_unmapped(struct fixture *fixture, const char *payload, bool unmapped)
{
    fixture_accept(fixture, payload);
    assert_int_equal(fixture->change->unmapped, unmapped);
}

static void a_message_with_nothing_but_its_id_is_unmapped(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    assert_unmapped(fixture, "{'id':'1','type':'changed','data':{'a':'x'}}", true);
    assert_unmapped(fixture, "{'id':'1','A':'x'}", true);
    assert_unmapped(fixture, "{'id':'1','unknown':null}", true);
    assert_unmapped(fixture, "{'id':'1','x':{'c':1}}", true);
    assert_unmapped(fixture, "{'id':'1','list':[{'Name':'x'}]}", true);
    assert_unmapped(fixture, "{'id':'1','list':[[{'name':'x'}],7]}", true);
    assert_unmapped(fixture, "{'id':'1'}", false);
    assert_unmapped(fixture, "{'id':'1','a':null,'type':'changed'}", false);
    assert_unmapped(fixture, "{'id':'1','b':'x'}", false);
    assert_unmapped(fixture, "{'id':'1','list':[]}", false);
    assert_unmapped(fixture, "{'id':'1','list':null}", false);
    assert_unmapped(fixture, "{'id':'1','list':[{'Name':'x'},{'c':'x'}]}", false);
}

static void a_name_in_another_letter_case_is_told(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    fixture_accept(fixture, "{'id':'1','a':'x','LIST':[]}");
    assert_true(slice_is(fixture->change->other_case, "list"));
    fixture_accept(fixture, "{'id':'1','list':[{'name':'x'},{'name':'y','VALUE':7}]}");
    assert_true(slice_is(fixture->change->other_case, "value"));
    fixture_accept(fixture, "{'id':'1','x':{'B':'1'}}");
    assert_true(slice_is(fixture->change->other_case, "b"));
    fixture_accept(fixture, "{'id':'1','X':{'b':'1'}}");
    assert_true(slice_is(fixture->change->other_case, "x"));
    fixture_accept(fixture, "{'ID':7,'A':'x','id':'1','a':'x'}");
    assert_null(fixture->change->other_case.data);
    fixture_accept(fixture, "{'id':'1','data':{'A':'x'}}");
    assert_null(fixture->change->other_case.data);
}

static void paths_are_judged_after_enough_messages(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    accept_often(fixture, "{'id':'1','b':'x','other':[]}", COVERAGE_JUDGED_AFTER - 1);
    assert_unmatched(fixture, 0, "");
    assert_int_equal(fixture_map(fixture, "{'id':'1','list':7}"), MAP_REFUSED);
    fixture_accept(fixture, "{'id':'1'}");
    assert_true(fixture->change->judged_anew);
    assert_unmatched(fixture, 2, "a, list");
    fixture_accept(fixture, "{'id':'1','b':'x'}");
    assert_false(fixture->change->judged_anew);
    fixture_accept(fixture, "{'id':'1','a':null}");
    assert_true(fixture->change->judged_anew);
    assert_unmatched(fixture, 1, "list");
}

static void paths_below_an_array_are_judged_after_enough_elements(void **state)
{
    struct fixture *fixture = *state;

    load(fixture);
    accept_often(fixture, "{'id':'1','a':1,'b':1,'list':[],'other':[]}", COVERAGE_JUDGED_AFTER);
    assert_unmatched(fixture, 0, "");
    accept_often(fixture, "{'id':'1','list':[{'name':'x'}]}", COVERAGE_JUDGED_AFTER - 1);
    assert_unmatched(fixture, 0, "");
    fixture_accept(fixture, "{'id':'1','list':[{'name':'x'}]}");
    assert_true(fixture->change->judged_anew);
    assert_unmatched(fixture, 3, "list[].type, list[].c, list[].value");
}

static void paths_that_do_not_fit_are_counted(void **state)
{
    struct fixture *fixture = *state;
    char text[48];

    load(fixture);
    accept_often(fixture, "{'id':'1','list':[{'Name':'x'}]}", COVERAGE_JUDGED_AFTER);
    assert_int_equal(mapper_unmatched(fixture->mapper, text, sizeof(text)), 7);
    assert_string_equal(text, "a, x.b, and 5 more");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_with_nothing_but_its_id_is_unmapped),
        TEST(a_name_in_another_letter_case_is_told),
        TEST(paths_are_judged_after_enough_messages),
        TEST(paths_below_an_array_are_judged_after_enough_elements),
        TEST(paths_that_do_not_fit_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
