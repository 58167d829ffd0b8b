#include "config/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void uris(void **state)
{
    (void)state;
    assert_true(password_in_uri("amqp://user:secret@host/vhost"));
    assert_true(password_in_uri("amqps://user:se/c:r@t@host:5671/vhost"));
    assert_true(password_in_uri("amqp://:secret@host"));
    assert_false(password_in_uri("amqp://user@host:5671/vhost"));
    assert_false(password_in_uri("amqp://user:@host:5671/vhost"));
    assert_false(password_in_uri("amqp://host:5671/vhost"));
    assert_false(password_in_uri("amqp://user@[::1]:5671/vhost"));
    assert_false(password_in_uri("user:secret@host"));
    assert_false(password_in_uri("amqp://"));
    assert_false(password_in_uri(""));
}

static void conninfos(void **state)
{
    (void)state;
    assert_true(password_in_conninfo("host=a password=secret"));
    assert_true(password_in_conninfo("  password  =  'se cret'  host=a"));
    assert_true(password_in_conninfo("host='a\\' b' password=x"));
    assert_true(password_in_conninfo("host=a\\ b password=x"));
    assert_true(password_in_conninfo("host=a sslpassword=x"));
    assert_true(password_in_conninfo("garbage password=x"));
    assert_true(
        password_in_conninfo("host=a password= user=b")); /* libpq takes user=b for the password */
    assert_true(password_in_conninfo("password='open"));
    assert_true(password_in_conninfo("postgresql://user:secret@host/db"));
    assert_true(password_in_conninfo("postgres://host/db?user=a&password=secret"));
    assert_false(password_in_conninfo("host=a user=password dbname='x password=y'"));
    assert_false(password_in_conninfo("host=a passfile=/etc/pass"));
    assert_false(password_in_conninfo("host=a password=''"));
    assert_false(password_in_conninfo("host=a password="));
    assert_false(password_in_conninfo("postgresql://user@host:5432/db?sslmode=require"));
    assert_false(password_in_conninfo("= = ="));
    assert_false(password_in_conninfo("password"));
    assert_false(password_in_conninfo(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris),
        cmocka_unit_test(conninfos),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
