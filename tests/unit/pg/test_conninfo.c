#include "pg/conninfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void what_was_given_is_named(void **state)
{
    struct pg_conninfo read;
    struct error err;

    (void)state;
    assert_int_equal(pg_conninfo_read("host=db1,db2 port=5432 dbname=crm user=kopru password=SECRET", &read, &err), 0);
    assert_string_equal(read.name, "host=db1,db2 port=5432 dbname=crm user=kopru");
    assert_true(read.is_remote && read.has_many_hosts);
    assert_false(read.asks_read_write || read.verifies_server);
    assert_int_equal(pg_conninfo_read("postgresql://kopru:SEC%40RET@127.0.0.1:5433/crm?sslmode=verify-full", &read, &err), 0);
    assert_string_equal(read.name, "host=127.0.0.1 port=5433 dbname=crm user=kopru");
    assert_false(read.is_remote);
    assert_true(read.verifies_server);
    assert_int_equal(pg_conninfo_read("host=/run/postgresql,@abstract target_session_attrs=primary", &read, &err), 0);
    assert_false(read.is_remote);
    assert_true(read.asks_read_write);
}

/* libpq refuses some of these at once and takes pieces of the others for host and port. */
static void no_piece_of_a_broken_one_is_repeated(void **state)
{
    static const char *const broken[] = {
        "password=SECRET SECRET",
        "host=db dbname='SECRET",
        "postgresql://kopru:SECRET%zz@db/crm",
        "postgresql://kopru:SEC@SECRET@db/crm",
        "postgresql://kopru:SECRET/SECRET@db/crm",
        "postgresql://[SECRET",
    };
    struct pg_conninfo read;
    struct error err;
    char text[sizeof(err)];

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        if (pg_conninfo_read(broken[i], &read, &err) == 0)
            fail_msg("accepted: %s", broken[i]);
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_null(strstr(error_text(&err, text, sizeof(text)), "SECRET"));
        assert_string_not_equal(err.hint, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_is_named),
        cmocka_unit_test(no_piece_of_a_broken_one_is_repeated),
    };

    /* What libpq would add to what is given. */
    clearenv();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
