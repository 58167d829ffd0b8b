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
    assert_int_equal(
        pg_conninfo_read("host=db1,db2 port=5432 dbname=crm user=kopru password=SECRET", &read,
                         &err),
        0);
    assert_string_equal(read.name, "host=db1,db2 port=5432 dbname=crm user=kopru");
    assert_true(read.is_remote && read.has_many_hosts);
    assert_false(read.asks_read_write);
    assert_true(read.verifies_server); /* by default */
    assert_int_equal(pg_conninfo_read("host=db1 sslmode=require", &read, &err), 0);
    assert_false(read.verifies_server);
    assert_int_equal(
        pg_conninfo_read("postgresql://kopru:SEC%40RET@127.0.0.1:5433/crm?sslmode=verify-full",
                         &read, &err),
        0);
    assert_string_equal(read.name, "host=127.0.0.1 port=5433 dbname=crm user=kopru");
    assert_false(read.is_remote);
    assert_true(read.verifies_server);
    assert_int_equal(pg_conninfo_read("host=/run/postgresql,@abstract target_session_attrs=primary",
                                      &read, &err),
                     0);
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

/* TLS verifies the server unless somebody said otherwise. */
static void tls_is_the_default_where_it_is_needed(void **state)
{
    static const struct {
        const char *conninfo;
        const char *sslmode;
    } cases[] = {
        { "host=db1 dbname=crm", "verify-full" },
        { "postgresql://kopru@db1,db2/crm", "verify-full" },
        { "host=localhost hostaddr=192.0.2.1", "verify-full" },
        { "host=localhost,db2", "verify-full" },
        { "hostaddr=192.0.2.1", "verify-full" },
        { "host=localhost", NULL },
        { "host=/run/postgresql", NULL },
        { "dbname=crm", NULL },
        { "host=db1 sslmode=disable", NULL },
        { "host=db1 sslmode=prefer", NULL },
        { "postgresql://kopru@db1/crm?sslmode=verify-ca", NULL },
        { "service=plain", "verify-full" },
        { "service=said", NULL },
        { "service=local", NULL },
        { "no conninfo", "verify-full" },
    };
    const char *const services = "tests/unit/pg/services.conf";

    (void)state;
    setenv("PGSERVICEFILE", services, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *sslmode = pg_conninfo_default_sslmode(cases[i].conninfo);

        if ((sslmode == NULL) != (cases[i].sslmode == NULL) ||
            (sslmode != NULL && strcmp(sslmode, cases[i].sslmode) != 0))
            fail_msg("%s: %s", cases[i].conninfo, sslmode != NULL ? sslmode : "nothing");
    }
    setenv("PGSSLMODE", "require", 1);
    assert_null(pg_conninfo_default_sslmode("host=db1"));
    unsetenv("PGSSLMODE");
    setenv("PGHOST", "db1", 1);
    assert_string_equal(pg_conninfo_default_sslmode("dbname=crm"), "verify-full");
    clearenv();
}

static void an_unknown_keyword_is_named(void **state)
{
    struct pg_conninfo read;
    struct error err;

    (void)state;
    assert_int_equal(pg_conninfo_read("hots=db1 dbname=crm", &read, &err), -1);
    assert_string_equal(err.why, "libpq does not know the keyword hots");
    assert_int_equal(pg_conninfo_read("postgresql://db1/crm?sslmod=require", &read, &err), -1);
    assert_string_equal(err.why, "libpq does not know the keyword sslmod");
    assert_int_equal(pg_conninfo_read("password=a SECRET=b", &read, &err), -1);
    assert_string_equal(err.why, "libpq cannot read it");
    assert_int_equal(pg_conninfo_read("postgresql://u:p@db1/crm?SECRET=1", &read, &err), -1);
    assert_string_equal(err.why, "libpq cannot read it");
}

/* libpq looks at them only when it connects, which a check of the files does not do. */
static void an_unknown_value_is_refused(void **state)
{
    static const char *const known[] = {
        "sslmode=disable",
        "sslmode=allow",
        "sslmode=prefer",
        "sslmode=require",
        "sslmode=verify-ca",
        "sslmode=verify-full",
        "target_session_attrs=any",
        "target_session_attrs=read-write",
        "target_session_attrs=read-only",
        "target_session_attrs=primary",
        "target_session_attrs=standby",
        "target_session_attrs=prefer-standby",
    };
    struct pg_conninfo read;
    struct error err;
    char text[sizeof(err)];

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (pg_conninfo_read(known[i], &read, &err) != 0)
            fail_msg("refused: %s", known[i]);
    assert_int_equal(pg_conninfo_read("host=db1 sslmode=''", &read, &err), -1);
    assert_int_equal(pg_conninfo_read("host=db1 sslmode=SECRET", &read, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_string_equal(err.why, "libpq does not know this value of sslmode");
    assert_non_null(strstr(err.hint, "verify-ca, verify-full"));
    assert_null(strstr(error_text(&err, text, sizeof(text)), "SECRET"));
    assert_int_equal(
        pg_conninfo_read("postgresql://db1/crm?target_session_attrs=SECRET", &read, &err), -1);
    assert_string_equal(err.why, "libpq does not know this value of target_session_attrs");
    assert_non_null(strstr(err.hint, "primary, standby, prefer-standby"));
    assert_null(strstr(error_text(&err, text, sizeof(text)), "SECRET"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_is_named),
        cmocka_unit_test(tls_is_the_default_where_it_is_needed),
        cmocka_unit_test(an_unknown_keyword_is_named),
        cmocka_unit_test(an_unknown_value_is_refused),
        cmocka_unit_test(no_piece_of_a_broken_one_is_repeated),
    };

    /* What libpq would add to what is given. */
    clearenv();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
