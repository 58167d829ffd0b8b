#include "pg/sqlstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct expectation {
    const char *state;
    enum sqlstate_class class;
};

static void expect_all(const struct expectation *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sqlstate_classify(expected[i].state) != expected[i].class)
            fail_msg("%s is %s", expected[i].state,
                     sqlstate_class_name(sqlstate_classify(expected[i].state)));
    }
}

#define EXPECT_ALL(expected) expect_all((expected), sizeof(expected) / sizeof((expected)[0]))

/* Classes 22 (without 22P03), 23 (without 23503), 44, P0 and 54000, 54001, 54011, 54023: nothing
   else is ever about a value. */
static void dead_letters_are_an_allow_list(void **state)
{
    static const struct expectation expected[] = {
        { "22001", SQLSTATE_REFUSE }, { "22003", SQLSTATE_REFUSE }, { "22021", SQLSTATE_REFUSE },
        { "22P02", SQLSTATE_REFUSE }, { "22P05", SQLSTATE_REFUSE }, { "23502", SQLSTATE_REFUSE },
        { "23505", SQLSTATE_REFUSE }, { "23514", SQLSTATE_REFUSE }, { "23P01", SQLSTATE_REFUSE },
        { "44000", SQLSTATE_REFUSE }, { "P0001", SQLSTATE_REFUSE }, { "P0004", SQLSTATE_REFUSE },
        { "54000", SQLSTATE_REFUSE }, { "54001", SQLSTATE_REFUSE }, { "54011", SQLSTATE_REFUSE },
        { "54023", SQLSTATE_REFUSE },
    };

    (void)state;
    EXPECT_ALL(expected);
}

/* Whatever is added to the table. */
static void no_other_row_makes_dead_letters(void **state)
{
    static const char *const allowed[] = { "22",    "23",    "44",    "P0",
                                           "54000", "54001", "54011", "54023" };
    size_t count;
    const struct sqlstate_row *rows = sqlstate_table(&count);
    size_t refusing = 0;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool is_allowed = false;

        if (rows[i].class != SQLSTATE_REFUSE)
            continue;
        for (size_t a = 0; a < sizeof(allowed) / sizeof(allowed[0]); a++)
            is_allowed = is_allowed || strcmp(rows[i].state, allowed[a]) == 0;
        if (!is_allowed)
            fail_msg("%s is %s", rows[i].state, sqlstate_class_name(rows[i].class));
        refusing++;
    }
    assert_int_equal(refusing, sizeof(allowed) / sizeof(allowed[0]));
}

static void what_a_person_must_change_pauses(void **state)
{
    static const struct expectation expected[] = {
        { "22P03", SQLSTATE_PAUSE }, { "23503", SQLSTATE_PAUSE }, { "21000", SQLSTATE_PAUSE },
        { "2200H", SQLSTATE_PAUSE }, { "42501", SQLSTATE_PAUSE }, { "42P01", SQLSTATE_PAUSE },
        { "42703", SQLSTATE_PAUSE }, { "42804", SQLSTATE_PAUSE }, { "3F000", SQLSTATE_PAUSE },
        { "28P01", SQLSTATE_PAUSE }, { "57P04", SQLSTATE_PAUSE }, { "XX001", SQLSTATE_PAUSE },
        { "XX002", SQLSTATE_PAUSE },
    };

    (void)state;
    EXPECT_ALL(expected);
}

static void outages_and_conflicts_are_repeated(void **state)
{
    static const struct expectation expected[] = {
        { "08006", SQLSTATE_RECONNECT }, { "08P01", SQLSTATE_RECONNECT },
        { "25006", SQLSTATE_RECONNECT }, { "25P03", SQLSTATE_RECONNECT },
        { "26000", SQLSTATE_RECONNECT }, { "42P05", SQLSTATE_RECONNECT },
        { "40003", SQLSTATE_RECONNECT }, { "57P01", SQLSTATE_RECONNECT },
        { "57P03", SQLSTATE_RECONNECT }, { "0A000", SQLSTATE_RECONNECT },
        { "40001", SQLSTATE_RETRY },     { "40P01", SQLSTATE_RETRY },
        { "53100", SQLSTATE_RETRY },     { "53300", SQLSTATE_RETRY },
        { "55P03", SQLSTATE_RETRY },     { "57014", SQLSTATE_RETRY },
        { "58030", SQLSTATE_RETRY },     { "XX000", SQLSTATE_RETRY },
    };

    (void)state;
    EXPECT_ALL(expected);
}

static void the_unknown_is_kept_and_repeated(void **state)
{
    static const struct expectation expected[] = {
        { "ZZ999", SQLSTATE_RETRY },  { "54999", SQLSTATE_RETRY },  { "", SQLSTATE_RECONNECT },
        { NULL, SQLSTATE_RECONNECT }, { "22", SQLSTATE_RECONNECT },
    };

    (void)state;
    EXPECT_ALL(expected);
}

static void each_row_is_reachable_and_says_why(void **state)
{
    size_t count;
    const struct sqlstate_row *rows = sqlstate_table(&count);

    (void)state;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        char whole[6];

        assert_true(strlen(rows[i].state) == 2 || strlen(rows[i].state) == 5);
        assert_true(strlen(rows[i].why) > 0);
        snprintf(whole, sizeof(whole), "%s%s", rows[i].state,
                 strlen(rows[i].state) == 2 ? "ZZZ" : "");
        assert_int_equal(sqlstate_classify(whole), rows[i].class);
        for (size_t j = i + 1; j < count; j++)
            assert_string_not_equal(rows[i].state, rows[j].state);
    }
}

/* What may be about a message although no rule says so: the same that contract and table leave
   open. */
static void what_nobody_knows_is_unclassified(void **state)
{
    (void)state;
    assert_true(sqlstate_is_unclassified("ZZ001"));
    assert_true(sqlstate_is_unclassified("XX000"));
    assert_false(sqlstate_is_unclassified("XX001"));
    assert_false(sqlstate_is_unclassified("23514"));
    assert_false(sqlstate_is_unclassified("57014"));
    assert_false(sqlstate_is_unclassified("57P01"));
    assert_false(sqlstate_is_unclassified(""));
    assert_false(sqlstate_is_unclassified(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_letters_are_an_allow_list),
        cmocka_unit_test(what_a_person_must_change_pauses),
        cmocka_unit_test(outages_and_conflicts_are_repeated),
        cmocka_unit_test(the_unknown_is_kept_and_repeated),
        cmocka_unit_test(each_row_is_reachable_and_says_why),
        cmocka_unit_test(no_other_row_makes_dead_letters),
        cmocka_unit_test(what_nobody_knows_is_unclassified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
