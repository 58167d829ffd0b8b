#include "pg/prepared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* libpq, which queues or refuses to. */

static char queued_name[96];
static const char *queued_sql;
static int can_queue = 1;

int __wrap_PQsendPrepare(PGconn *pg, const char *name, const char *sql, int count,
                         const Oid *types);

int __wrap_PQsendPrepare(PGconn *pg, const char *name, const char *sql, int count, const Oid *types)
{
    (void)pg;
    (void)count;
    (void)types;
    strncpy(queued_name, name, sizeof(queued_name) - 1);
    queued_sql = sql;
    return can_queue;
}

static const struct pg_statement ONE = { .name = "one", .sql = "SELECT 1" };
static const struct pg_statement OLDER_ONE = { .name = "one", .sql = "SELECT 0" };
static const struct pg_statement TWO = { .name = "two", .sql = "SELECT 2" };
static const struct pg_statement NAMELESS = { .sql = "SELECT 3" };

static void a_statement_is_known_once_it_is_queued(void **state)
{
    struct pg_prepared prepared = { .count = 0 };
    const char *name;

    (void)state;
    assert_null(pg_prepared_name(&prepared, &ONE));
    name = pg_prepared_add(&prepared, NULL, &ONE);
    assert_non_null(name);
    assert_string_equal(name, queued_name);
    assert_ptr_equal(queued_sql, ONE.sql);
    assert_ptr_equal(pg_prepared_name(&prepared, &ONE), name);
    assert_null(pg_prepared_name(&prepared, &TWO));
}

/* Behind a pooler the statement of another release may be there under its name. */
static void a_name_tells_the_text(void **state)
{
    struct pg_prepared prepared = { .count = 0 };
    const char *name = pg_prepared_add(&prepared, NULL, &ONE);
    const char *older = pg_prepared_add(&prepared, NULL, &OLDER_ONE);

    (void)state;
    assert_memory_equal(name, "one_", 4);
    assert_memory_equal(older, "one_", 4);
    assert_string_not_equal(name, older);
    assert_memory_equal(pg_prepared_add(&prepared, NULL, &NAMELESS), "kopru_", 6);
}

static void what_could_not_be_queued_is_not_prepared(void **state)
{
    struct pg_prepared prepared = { .count = 0 };

    (void)state;
    can_queue = 0;
    assert_null(pg_prepared_add(&prepared, NULL, &ONE));
    can_queue = 1;
    assert_int_equal(prepared.count, 0);
    assert_null(pg_prepared_name(&prepared, &ONE));
}

static void forgetting_one_keeps_the_others(void **state)
{
    struct pg_prepared prepared = { .count = 0 };

    (void)state;
    pg_prepared_add(&prepared, NULL, &ONE);
    pg_prepared_add(&prepared, NULL, &TWO);
    pg_prepared_forget(&prepared, &ONE);
    assert_null(pg_prepared_name(&prepared, &ONE));
    assert_memory_equal(pg_prepared_name(&prepared, &TWO), "two_", 4);
    pg_prepared_forget(&prepared, &ONE);
    assert_int_equal(prepared.count, 1);
}

static void only_a_pooler_loses_statements(void **state)
{
    (void)state;
    assert_true(pg_prepared_is_not_kept("26000"));
    assert_true(pg_prepared_is_not_kept("42P05"));
    assert_false(pg_prepared_is_not_kept("42P01"));
    assert_false(pg_prepared_is_not_kept(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_is_known_once_it_is_queued),
        cmocka_unit_test(a_name_tells_the_text),
        cmocka_unit_test(what_could_not_be_queued_is_not_prepared),
        cmocka_unit_test(forgetting_one_keeps_the_others),
        cmocka_unit_test(only_a_pooler_loses_statements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
