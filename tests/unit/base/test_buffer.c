#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void appends_everything(void **state)
{
    struct buffer buf;
    static const unsigned char numbers[] = { 0x01, 0x02, 0x03, 0x04, 0x01, 0x02,
                                             0x03, 0x04, 0x05, 0x06, 0x07, 0xFF };

    (void)state;
    buffer_init(&buf, 1000);
    buffer_append_text(&buf, "ab");
    buffer_append_byte(&buf, 'c');
    buffer_append_slice(&buf, SLICE_LITERAL("d\0e"));
    buffer_append_format(&buf, "%d-%s", 7, "x");
    buffer_append(&buf, NULL, 0);
    assert_false(buffer_failed(&buf));
    assert_true(slice_equal(buffer_slice(&buf), SLICE_LITERAL("abcd\0e7-x")));
    assert_int_equal(buf.data[buf.len], 0);
    buffer_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf.data, "");
    buffer_append_u32(&buf, 0x01020304);
    buffer_append_u64(&buf, 0x01020304050607FF);
    assert_int_equal(buf.len, sizeof(numbers));
    assert_memory_equal(buf.data, numbers, sizeof(numbers));
    buffer_release(&buf);
}

static void grows_and_keeps_its_content(void **state)
{
    struct buffer buf;

    (void)state;
    buffer_init(&buf, 100000);
    for (int i = 0; i < 100000; i++)
        buffer_append_byte(&buf, (char)('a' + i % 26));
    assert_false(buffer_failed(&buf));
    assert_int_equal(buf.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    assert_int_equal(buf.data[buf.len], 0);
    buffer_release(&buf);
}

static void the_maximum_is_exact(void **state)
{
    struct buffer buf;

    (void)state;
    buffer_init(&buf, 4);
    buffer_append_text(&buf, "abcd");
    assert_false(buffer_failed(&buf));
    buffer_append_text(&buf, "");
    assert_false(buffer_failed(&buf));
    buffer_append_byte(&buf, 'e');
    assert_true(buffer_failed(&buf));
    assert_string_equal(buf.data, "abcd");
    buffer_release(&buf);
}

static void a_failure_stays_until_it_is_cleared(void **state)
{
    struct buffer buf;

    (void)state;
    buffer_init(&buf, 4);
    buffer_append_text(&buf, "abcde");
    buffer_append_text(&buf, "f");
    buffer_append_format(&buf, "%d", 1);
    assert_true(buffer_failed(&buf));
    assert_int_equal(buf.len, 0);
    assert_null(buffer_reserve(&buf, 1));
    buffer_clear(&buf);
    buffer_append_text(&buf, "g");
    assert_false(buffer_failed(&buf));
    assert_string_equal(buf.data, "g");
    buffer_append(&buf, "x", SIZE_MAX);
    assert_true(buffer_failed(&buf));
    buffer_release(&buf);
    assert_false(buffer_failed(&buf));
}

static void reserved_bytes_count(void **state)
{
    struct buffer buf;
    char *place;

    (void)state;
    buffer_init(&buf, 600);
    buffer_append_text(&buf, "ab");
    place = buffer_reserve(&buf, 500);
    assert_non_null(place);
    memset(place, 'x', 500);
    buffer_append_text(&buf, "c");
    assert_int_equal(buf.len, 503);
    assert_memory_equal(buf.data, "abx", 3);
    assert_string_equal(buf.data + 500, "xxc");
    buffer_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_everything),
        cmocka_unit_test(grows_and_keeps_its_content),
        cmocka_unit_test(the_maximum_is_exact),
        cmocka_unit_test(a_failure_stays_until_it_is_cleared),
        cmocka_unit_test(reserved_bytes_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
