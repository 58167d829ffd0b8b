#include "pg/blame.h"

#include "pg/dead_letters.h"
#include "pg/session_settings.h"
#include "pg/store_changes.h"
#include "pg/store_find.h"
#include "pg/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct column ROOT[] = { { "device_id", VALUE_TEXT }, { "extra", VALUE_JSONB } };
static const struct entity ENTITY = { .name = "device", .root = { "devices", ROOT, 2, 1, 1 } };

static struct pg_statements statements;
static struct write_set_entity written = { .loaded = true, .difference = { .root = true } };
static struct write_set set = { .entity = &ENTITY, .entities = &written, .count = 1 };

static int set_up(void **state)
{
    (void)state;
    return pg_statements_init(&statements, &ENTITY);
}

static int tear_down(void **state)
{
    (void)state;
    pg_statements_release(&statements);
    return 0;
}

static uint64_t failed_in(const char *name)
{
    return pg_blame_failed(&set, &statements, &(struct pg_failure){ .statement = name });
}

/* They carry nothing of a message, so nothing that they meet is about one. */
static void statements_without_rows_blame_nobody(void **state)
{
    (void)state;
    assert_int_equal(failed_in(PG_BEGIN.name), 0);
    assert_int_equal(failed_in(PG_SETTINGS.name), 0);
    assert_int_equal(failed_in(PG_CHECK_EPOCH.name), 0);
    assert_int_equal(failed_in(PG_WRITE_DEAD_LETTERS.name), 0);
    assert_int_equal(failed_in(PG_COMMIT.name), 0);
}

/* What the site has put there may meet one and not the other. */
static void a_new_root_proves_nothing_about_a_stored_one(void **state)
{
    uint64_t inserts = failed_in(statements.insert.name);
    uint64_t updates = failed_in(statements.write.name);

    (void)state;
    assert_true(inserts != 0 && updates != 0 && (inserts & updates) == 0);
    written.before.exists = true;
    assert_int_equal(pg_blame_used(&set, false) & (inserts | updates), updates);
    written.before.exists = false;
    assert_int_equal(pg_blame_used(&set, false) & (inserts | updates), inserts);
}

static void each_statement_with_rows_has_a_bit_of_its_own(void **state)
{
    uint64_t find = failed_in(statements.find.name);
    uint64_t load = failed_in(statements.load.name);
    uint64_t insert = failed_in(statements.insert.name);

    (void)state;
    assert_true(find != 0 && load != 0 && insert != 0);
    assert_true((find & load) == 0 && (load & insert) == 0 && (find & insert) == 0);
    /* A deferred constraint may be of any table that was written. */
    assert_int_equal(failed_in(PG_CHECK_CONSTRAINTS.name), insert);
    assert_int_equal(pg_blame_used(&set, false), find | load | insert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_without_rows_blame_nobody),
        cmocka_unit_test(a_new_root_proves_nothing_about_a_stored_one),
        cmocka_unit_test(each_statement_with_rows_has_a_bit_of_its_own),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
