#include "bridge/observe/last_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct last_error_slot slot;

static int set_up(void **state)
{
    (void)state;
    last_error_init(&slot);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    last_error_release(&slot);
    return 0;
}

static void set(const char *why, const char *hint, const char *sqlstate)
{
    struct error err;

    error_set(&err, ERROR_UNAVAILABLE, "it failed", NULL, "%s", why);
    if (hint != NULL)
        error_hint(&err, "%s", hint);
    last_error_set(&slot, "database_unavailable", &err, sqlstate, 0);
}

static void assert_earlier(const char *text)
{
    char earlier[256];

    assert_string_equal(last_error_earlier(&slot, earlier, sizeof(earlier)), text);
}

/* The disk is full, then the server stops: the first of it is what is to be mended. */
static void the_first_cause_is_kept_until_it_is_over(void **state)
{
    (void)state;
    set("SQLSTATE 53100", "free some space", "53100");
    assert_earlier("");
    set("SQLSTATE 53100", "free some space", "53100");
    assert_earlier("");
    set("connection refused", "start it", NULL);
    assert_earlier("SQLSTATE 53100: free some space");
    set("SQLSTATE 57P03", "it starts", "57P03");
    set("connection refused", "start it", "");
    assert_earlier("SQLSTATE 53100: free some space");
    last_error_end(&slot);
    set("connection refused", "start it", "");
    assert_earlier("");
}

static void what_has_no_sqlstate_is_no_cause(void **state)
{
    (void)state;
    set("connection refused", NULL, "");
    set("SQLSTATE 57P03", NULL, "57P03");
    assert_earlier("");
    set("SQLSTATE 53100", NULL, "53100");
    assert_earlier("SQLSTATE 57P03");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_cause_is_kept_until_it_is_over),
        TEST(what_has_no_sqlstate_is_no_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
