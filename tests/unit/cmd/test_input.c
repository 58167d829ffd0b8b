#include "cmd/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/kopru-input-XXXXXX";

static int make_file(void **state)
{
    int fd = mkstemp(path);
    static const char content[] = "0123456789";

    (void)state;
    if (fd < 0 || write(fd, content, 10) != 10)
        return -1;
    return close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void a_file_is_read_whole(void **state)
{
    struct buffer out;
    struct error err;

    (void)state;
    buffer_init(&out, 11);
    assert_int_equal(input_read(path, &out, &err), 0);
    assert_int_equal(out.len, 10);
    assert_string_equal(out.data, "0123456789");
    buffer_release(&out);
}

static void no_more_is_read_than_the_buffer_may_hold(void **state)
{
    struct buffer out;
    struct error err;

    (void)state;
    buffer_init(&out, 4);
    assert_int_equal(input_read(path, &out, &err), 0);
    assert_string_equal(out.data, "0123");
    buffer_release(&out);
}

static void endless_input_ends_at_the_maximum(void **state)
{
    struct buffer out;
    struct error err;

    (void)state;
    buffer_init(&out, 200000);
    assert_int_equal(input_read("/dev/zero", &out, &err), 0);
    assert_int_equal(out.len, 200000);
    buffer_release(&out);
}

static void what_is_missing_or_no_file_is_named(void **state)
{
    static const char *const paths[] = { "/tmp/kopru-there-is-no-such-file", "/tmp" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buffer out;
        struct error err;

        buffer_init(&out, 4);
        assert_int_equal(input_read(paths[i], &out, &err), -1);
        assert_int_equal(err.kind, ERROR_NO_INPUT);
        assert_string_equal(err.subject, paths[i]);
        assert_string_not_equal(err.why, "");
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(no_more_is_read_than_the_buffer_may_hold),
        cmocka_unit_test(endless_input_ends_at_the_maximum),
        cmocka_unit_test(what_is_missing_or_no_file_is_named),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
