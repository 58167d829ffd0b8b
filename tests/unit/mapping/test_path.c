#include "mapping/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct path_level top;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    memset(&top, 0, sizeof(top));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void faults_of_paths_are_named(void **state)
{
    (void)state;
    assert_null(path_fault("id"));
    assert_null(path_fault("@referredType"));
    assert_null(path_fault("a b.ç.$type"));
    assert_null(path_fault("1.2.3.4.5.6.7.8"));
    assert_non_null(strstr(path_fault(""), "empty"));
    assert_non_null(strstr(path_fault("$.id"), "without"));
    assert_non_null(strstr(path_fault(".id"), "empty name"));
    assert_non_null(strstr(path_fault("id."), "empty name"));
    assert_non_null(strstr(path_fault("a..b"), "empty name"));
    assert_non_null(strstr(path_fault("a[0]"), "objects only"));
    assert_non_null(strstr(path_fault("a.*"), "objects only"));
    assert_non_null(strstr(path_fault("1.2.3.4.5.6.7.8.9"), "more than 8"));
}

static void paths_lead_to_their_slots(void **state)
{
    (void)state;
    assert_int_equal(path_add(&top, "validFor.startDateTime", 0, &arena), PATH_ADDED);
    assert_int_equal(path_add(&top, "validFor.endDateTime", 1, &arena), PATH_ADDED);
    assert_int_equal(path_add(&top, "id", 2, &arena), PATH_ADDED);
    assert_int_equal(path_slot(&top, "validFor.startDateTime"), 0);
    assert_int_equal(path_slot(&top, "validFor.endDateTime"), 1);
    assert_int_equal(path_slot(&top, "id"), 2);
    assert_int_equal(path_slot(&top, "validFor"), PATH_NO_SLOT);
    assert_int_equal(path_slot(&top, "validFor.x"), PATH_NO_SLOT);
    assert_int_equal(path_slot(&top, "id.x"), PATH_NO_SLOT);
    assert_int_equal(path_slot(&top, "ID"), PATH_NO_SLOT);
    assert_int_equal(top.count, 2);
    assert_int_equal(path_top_index(&top, "validFor.endDateTime"), 0);
    assert_int_equal(path_top_index(&top, "id"), 1);
    assert_null(path_find(&top, SLICE_LITERAL("")));
}

static void two_paths_do_not_share_an_end(void **state)
{
    (void)state;
    assert_int_equal(path_add(&top, "a.b", 0, &arena), PATH_ADDED);
    assert_int_equal(path_add(&top, "a.b", 1, &arena), PATH_TAKEN);
    assert_int_equal(path_add(&top, "a", 1, &arena), PATH_INSIDE);
    assert_int_equal(path_add(&top, "a.b.c", 1, &arena), PATH_INSIDE);
    assert_int_equal(path_slot(&top, "a.b"), 0);
}

static void many_names_are_found(void **state)
{
    char name[16];

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        assert_int_equal(path_add(&top, name, i, &arena), PATH_ADDED);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        assert_int_equal(path_slot(&top, name), i);
    }
    assert_int_equal(path_slot(&top, "n1000"), PATH_NO_SLOT);
}

static void names_in_another_letter_case_are_found(void **state)
{
    const struct path_step *step;

    (void)state;
    assert_int_equal(path_add(&top, "validFor.startDateTime", 0, &arena), PATH_ADDED);
    assert_int_equal(path_add(&top, "mediumType", 1, &arena), PATH_ADDED);
    step = path_find_other_case(&top, SLICE_LITERAL("VALIDFOR"));
    assert_non_null(step);
    assert_true(slice_is(step->name, "validFor"));
    assert_non_null(path_find_other_case(&top, SLICE_LITERAL("MediumType")));
    assert_non_null(path_find_other_case(&top, SLICE_LITERAL("MED\xC4\xB0UMTYPE")));
    assert_non_null(path_find_other_case(&top, SLICE_LITERAL("med\xC4\xB1umtype")));
    assert_non_null(path_find_other_case(&top, SLICE_LITERAL("medi\xCC\x87umtype")));
    assert_null(path_find_other_case(&top, SLICE_LITERAL("mediumType")));
    assert_null(path_find_other_case(&top, SLICE_LITERAL("mediumTyp")));
    assert_null(path_find_other_case(&top, SLICE_LITERAL("mediumTypes")));
    assert_null(path_find_other_case(&top, SLICE_LITERAL("med\xC4")));
    assert_null(path_find_other_case(&top, SLICE_LITERAL("")));
}

static void a_slot_leads_to_its_path(void **state)
{
    char text[32] = "none";

    (void)state;
    assert_int_equal(path_add(&top, "a.b.c", 0, &arena), PATH_ADDED);
    assert_int_equal(path_add(&top, "a.d", 1, &arena), PATH_ADDED);
    path_text(&top, 2, text, sizeof(text));
    assert_string_equal(text, "none");
    path_text(&top, 0, text, sizeof(text));
    assert_string_equal(text, "a.b.c");
    path_text(&top, 1, text, sizeof(text));
    assert_string_equal(text, "a.d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_paths_are_named),
        cmocka_unit_test_setup_teardown(paths_lead_to_their_slots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_paths_do_not_share_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_names_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_in_another_letter_case_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slot_leads_to_its_path, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
