#include "pg/verdict.h"

#include "pg/dead_letters.h"
#include "pg/store_changes.h"
#include "pg/store_find.h"
#include "pg/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct column ROOT[] = { { "customer_id", VALUE_TEXT }, { "name", VALUE_TEXT } };
static const struct column CHILD[] = { { "customer_id", VALUE_TEXT }, { "city", VALUE_TEXT } };
static const struct child CHILDREN[] = { { .table = { "contact_mediums", CHILD, 2, 1, 1 } } };
static const struct entity ENTITY = { .name = "customer",
                                      .root = { "customers", ROOT, 2, 1, 1 },
                                      .children = CHILDREN,
                                      .child_count = 1 };

/* Where it was raised. */
enum place { STATEMENT, FUNCTION, PARAMETER };

/* What the server says, and what is decided. */
struct expectation {
    const char *state;
    const char *table; /* with its schema; NULL: none is named */
    const char *column;
    const char *constraint;
    enum place place;
    enum verdict verdict;
};

static struct pg_failure failure_of(const struct expectation *said)
{
    struct pg_failure failure = { .class = sqlstate_classify(said->state),
                                  .session_lives = true,
                                  .in_function = said->place == FUNCTION,
                                  .in_parameter = said->place == PARAMETER,
                                  .statement = "kopru_write_customers" };

    snprintf(failure.sqlstate, sizeof(failure.sqlstate), "%s", said->state);
    if (said->table != NULL)
        sscanf(said->table, "%63[^.].%63s", failure.schema, failure.table);
    if (said->column != NULL)
        snprintf(failure.column, sizeof(failure.column), "%s", said->column);
    if (said->constraint != NULL)
        snprintf(failure.constraint, sizeof(failure.constraint), "%s", said->constraint);
    return failure;
}

/* As PostgreSQL 15 fills the fields. */
static void what_ties_an_error_to_its_row_decides(void **state)
{
    static const struct expectation expected[] = {
        { "23502", "kopru.customers", "name", NULL, STATEMENT, VERDICT_FINAL },
        { "23502", "kopru.contact_mediums", "city", NULL, STATEMENT, VERDICT_FINAL },
        { "23502", "kopru.customers", "region", NULL, STATEMENT, VERDICT_PAUSE },
        { "23502", "public.audit", "name", NULL, FUNCTION, VERDICT_PAUSE },
        { "23502", NULL, NULL, NULL, STATEMENT, VERDICT_PAUSE },
        { "23514", "kopru.customers", NULL, "site_rule", STATEMENT, VERDICT_FINAL },
        { "23514", "public.customers", NULL, "site_rule", FUNCTION, VERDICT_PROOF },
        { "23514", "public.audit", NULL, NULL, FUNCTION, VERDICT_PAUSE },
        { "23514", "kopru.customers", NULL, NULL, STATEMENT, VERDICT_PAUSE },
        { "23514", NULL, NULL, "a_domain_check", STATEMENT, VERDICT_NEIGHBOURS },
        { "23514", NULL, NULL, NULL, FUNCTION, VERDICT_NEIGHBOURS },
        { "23505", "kopru.customers", NULL, "site_rule", STATEMENT, VERDICT_FINAL },
        { "23505", "public.audit", NULL, "audit_pkey", FUNCTION, VERDICT_PROOF },
        { "23P01", "kopru.customers", NULL, "site_rule", STATEMENT, VERDICT_FINAL },
        { "23000", NULL, NULL, NULL, FUNCTION, VERDICT_NEIGHBOURS },
        { "22001", NULL, NULL, NULL, STATEMENT, VERDICT_NEIGHBOURS },
        { "22003", NULL, NULL, NULL, PARAMETER, VERDICT_FINAL },
        { "22003", NULL, NULL, NULL, STATEMENT, VERDICT_NEIGHBOURS },
        { "22012", NULL, NULL, NULL, FUNCTION, VERDICT_NEIGHBOURS },
        { "44000", NULL, NULL, NULL, STATEMENT, VERDICT_NEIGHBOURS },
        { "44000", NULL, NULL, NULL, FUNCTION, VERDICT_NEIGHBOURS },
        { "P0001", NULL, NULL, NULL, FUNCTION, VERDICT_NEIGHBOURS },
        { "54000", "kopru.customers", NULL, "an_index", STATEMENT, VERDICT_FINAL },
        { "54000", "kopru.customers", NULL, "an_index", FUNCTION, VERDICT_PROOF },
        { "54000", NULL, NULL, NULL, STATEMENT, VERDICT_PROOF },
        { "54001", NULL, NULL, NULL, FUNCTION, VERDICT_PROOF },
        { "54011", NULL, NULL, NULL, STATEMENT, VERDICT_PROOF },
        { "54023", NULL, NULL, NULL, STATEMENT, VERDICT_PROOF },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct pg_failure failure = failure_of(&expected[i]);
        const struct verdict_row *row = verdict_find(&failure, &ENTITY);

        assert_non_null(row);
        if (row->verdict != expected[i].verdict)
            fail_msg("%s of %s: %s %d", expected[i].state,
                     expected[i].table != NULL ? expected[i].table : "no table", row->state,
                     row->verdict);
    }
}

/* Whichever schema the partition is in: partition.h has found out whose it is. */
static void a_partition_is_judged_as_its_table(void **state)
{
    static const struct {
        struct expectation said;
        const char *partition_of;
    } expected[] = {
        { { "23514", "kopru.customers_3", NULL, "site_rule", STATEMENT, VERDICT_FINAL },
          "customers" },
        { { "23514", "parts.customers_3", NULL, "site_rule", STATEMENT, VERDICT_FINAL },
          "customers" },
        { { "23502", "kopru.cm_3", "city", NULL, STATEMENT, VERDICT_FINAL }, "contact_mediums" },
        { { "23502", "kopru.cm_3", "name", NULL, STATEMENT, VERDICT_PAUSE }, "contact_mediums" },
        { { "23505", "kopru.customers_3", NULL, "customers_3_pkey", STATEMENT, VERDICT_FINAL },
          "customers" },
        { { "23514", "kopru.customers_3", NULL, "site_rule", FUNCTION, VERDICT_PROOF }, "" },
        { { "23514", "kopru.orders_3", NULL, "site_rule", FUNCTION, VERDICT_PROOF }, "orders" },
        { { "23514", "kopru.customers_3", NULL, NULL, STATEMENT, VERDICT_PAUSE }, "customers" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct pg_failure failure = failure_of(&expected[i].said);

        snprintf(failure.partition_of, sizeof(failure.partition_of), "%s",
                 expected[i].partition_of);
        assert_int_equal(verdict_find(&failure, &ENTITY)->verdict, expected[i].said.verdict);
    }
}

static void a_verdict_sets_what_follows_from_it(void **state)
{
    static const struct {
        struct expectation said;
        enum sqlstate_class class;
        bool unproven;
        bool unclassified;
    } expected[] = {
        { { .state = "23514", .table = "kopru.customers", .constraint = "c" },
          SQLSTATE_REFUSE,
          false,
          false },
        { { .state = "P0001", .place = FUNCTION }, SQLSTATE_REFUSE, true, false },
        { { .state = "54000" }, SQLSTATE_RETRY, false, true },
        { { .state = "23514", .table = "public.audit" }, SQLSTATE_PAUSE, false, false },
        { { .state = "42501" }, SQLSTATE_PAUSE, false, false },
        { { .state = "ZZ001" }, SQLSTATE_RETRY, false, true },
        { { .state = "0A000" }, SQLSTATE_RECONNECT, false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct pg_failure failure = failure_of(&expected[i].said);

        verdict_reach(&failure, &ENTITY, true);
        assert_true(failure.suspect);
        assert_int_equal(failure.class, expected[i].class);
        assert_int_equal(failure.unproven, expected[i].unproven);
        assert_int_equal(failure.unclassified, expected[i].unclassified);
    }
}

/* Whatever the SQLSTATE, and however well it names a row. */
static void without_rows_or_a_session_no_message_is_at_fault(void **state)
{
    static const struct expectation refusals[] = {
        { .state = "54000" },
        { .state = "23514", .table = "kopru.customers", .constraint = "c" },
        { .state = "P0001", .place = FUNCTION },
        { .state = "22001" },
        { .state = "ZZ001" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct pg_failure without_rows = failure_of(&refusals[i]);
        struct pg_failure ended = failure_of(&refusals[i]);

        verdict_reach(&without_rows, &ENTITY, false);
        ended.session_lives = false;
        verdict_reach(&ended, &ENTITY, true);
        assert_int_not_equal(without_rows.class, SQLSTATE_REFUSE);
        assert_int_not_equal(ended.class, SQLSTATE_REFUSE);
        assert_false(without_rows.suspect || without_rows.unclassified || without_rows.unproven);
        assert_false(ended.suspect || ended.unclassified || ended.unproven);
    }
}

/* Whatever ended it, and with whichever SQLSTATE; what kopru itself gave up says nothing. */
static void a_session_that_ends_with_rows_is_suspect_and_no_verdict(void **state)
{
    static const char *const states[] = { "", "57P01", "57P02", "25P04", "ZZ001", "XX000" };

    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct pg_failure with_rows = failure_of(&(struct expectation){ .state = states[i] });
        struct pg_failure without;
        struct pg_failure late;
        struct pg_failure large;

        with_rows.class = SQLSTATE_RECONNECT;
        with_rows.session_lives = false;
        with_rows.connection_lost = true;
        without = late = large = with_rows;
        late.timed_out = true;
        large.over_limit = true;
        verdict_reach(&with_rows, &ENTITY, true);
        verdict_reach(&without, &ENTITY, false);
        verdict_reach(&late, &ENTITY, true);
        verdict_reach(&large, &ENTITY, true);
        assert_true(with_rows.suspect);
        assert_false(without.suspect || late.suspect || large.suspect);
        assert_false(with_rows.unclassified || with_rows.unproven);
        assert_int_equal(with_rows.class, SQLSTATE_RECONNECT);
        assert_non_null(strstr(with_rows.error.hint, "trigger"));
    }
}

static void a_refused_dead_letter_names_its_table(void **state)
{
    struct pg_failure failure = failure_of(&(struct expectation){ .state = "23514" });

    (void)state;
    failure.statement = PG_WRITE_DEAD_LETTERS.name;
    verdict_reach(&failure, &ENTITY, false);
    assert_int_equal(failure.class, SQLSTATE_PAUSE);
    assert_non_null(strstr(failure.error.hint, "kopru.dead_letters"));
}

/* Whatever is added to the allow-list of sqlstate.c needs a rule here. */
static void each_sqlstate_of_the_allow_list_has_a_last_rule(void **state)
{
    size_t count;
    const struct sqlstate_row *rows = sqlstate_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct expectation said = { .state = rows[i].state, .place = FUNCTION };
        struct pg_failure failure = failure_of(&said);

        if (rows[i].class == SQLSTATE_REFUSE) {
            const struct verdict_row *row = verdict_find(&failure, &ENTITY);

            assert_non_null(row);
            assert_int_not_equal(row->verdict, VERDICT_FINAL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ties_an_error_to_its_row_decides),
        cmocka_unit_test(a_partition_is_judged_as_its_table),
        cmocka_unit_test(a_verdict_sets_what_follows_from_it),
        cmocka_unit_test(without_rows_or_a_session_no_message_is_at_fault),
        cmocka_unit_test(a_session_that_ends_with_rows_is_suspect_and_no_verdict),
        cmocka_unit_test(a_refused_dead_letter_names_its_table),
        cmocka_unit_test(each_sqlstate_of_the_allow_list_has_a_last_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
