#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct valid_case {
    const char *text;
    size_t valid_len;
};

static void valid_len_ends_at_the_first_ill_formed_byte(void **state)
{
    static const struct valid_case cases[] = {
        { "", 0 },
        { "plain", 5 },
        { "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 26 },
        { "İSTANBUL(Avrupa) ŞĞÜÖÇığüşöç", 40 },
        { "\x7f", 1 },
        { "\xC2\x80", 2 },
        { "\xDF\xBF", 2 },
        { "\xE0\xA0\x80", 3 },
        { "\xED\x9F\xBF", 3 }, /* U+D7FF */
        { "\xEE\x80\x80", 3 }, /* U+E000 */
        { "\xEF\xBF\xBF", 3 },
        { "\xF0\x90\x80\x80", 4 },
        { "\xF4\x8F\xBF\xBF", 4 }, /* U+10FFFF */
        { "a\x80", 1 },            /* a continuation without its beginning */
        { "a\xBF", 1 },
        { "\xC0\x80", 0 }, /* overlong NUL */
        { "\xC1\xBF", 0 },
        { "\xE0\x80\x80", 0 },
        { "\xE0\x9F\xBF", 0 },
        { "\xF0\x80\x80\x80", 0 },
        { "\xF0\x8F\xBF\xBF", 0 },
        { "\xED\xA0\x80", 0 }, /* surrogates */
        { "\xED\xBF\xBF", 0 },
        { "\xF4\x90\x80\x80", 0 }, /* beyond U+10FFFF */
        { "\xF5\x80\x80\x80", 0 },
        { "\xFE", 0 },
        { "\xFF", 0 },
        { "12345678\xC3", 8 }, /* cut off */
        { "123\xE2\x82", 3 },
        { "1\xF0\x9F\x98", 1 },
        { "\xC3\xC3\xBC", 0 }, /* a beginning where a continuation belongs */
        { "\xE2\x82z", 0 },
        { "\xF0\x9F\x98z", 0 },
        { "ü\xC3z", 2 },
        { "1234567ü1234567\x80", 16 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice text = slice_of(cases[i].text);

        assert_int_equal(utf8_valid_len(text), cases[i].valid_len);
        assert_int_equal(utf8_is_valid(text), cases[i].valid_len == text.len);
    }
}

static void a_nul_byte_is_well_formed(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(SLICE_LITERAL("a\0b")));
}

/* Every bad byte must be seen wherever it stands in the words that are looked at together. */
static void valid_len_sees_a_bad_byte_at_each_offset(void **state)
{
    (void)state;
    for (size_t offset = 0; offset < 32; offset++) {
        char text[32];

        memset(text, 'x', sizeof(text));
        text[offset] = '\xFF';
        assert_int_equal(utf8_valid_len((struct slice){ text, sizeof(text) }), offset);
    }
}

static void every_code_point_is_encoded_as_one_valid_character(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point++) {
        char bytes[4];
        size_t len;

        if (code_point >= 0xD800 && code_point <= 0xDFFF)
            continue;
        len = utf8_encode(code_point, bytes);
        assert_int_equal(utf8_valid_len((struct slice){ bytes, len }), len);
        assert_int_equal(utf8_cut((struct slice){ bytes, len }, len - 1).len, 0);
    }
}

static void plain_text_has_no_control_characters(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char text[] = { 'a', (char)byte, 'b' };

        assert_int_equal(utf8_is_plain((struct slice){ text, 3 }),
                         byte == '\t' || (byte >= 0x20 && byte < 0x7f));
    }
    assert_true(utf8_is_plain(SLICE_LITERAL("")));
    assert_true(utf8_is_plain(SLICE_LITERAL("\tü€😀")));
    assert_false(utf8_is_plain(SLICE_LITERAL("ü\n")));
}

static void cut_ends_between_characters(void **state)
{
    struct slice text = SLICE_LITERAL("aü€😀");

    (void)state;
    assert_int_equal(utf8_cut(text, 100).len, 10);
    assert_int_equal(utf8_cut(text, 10).len, 10);
    assert_int_equal(utf8_cut(text, 9).len, 6);
    assert_int_equal(utf8_cut(text, 7).len, 6);
    assert_int_equal(utf8_cut(text, 6).len, 6);
    assert_int_equal(utf8_cut(text, 5).len, 3);
    assert_int_equal(utf8_cut(text, 3).len, 3);
    assert_int_equal(utf8_cut(text, 2).len, 1);
    assert_int_equal(utf8_cut(text, 1).len, 1);
    assert_int_equal(utf8_cut(text, 0).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_len_ends_at_the_first_ill_formed_byte),
        cmocka_unit_test(a_nul_byte_is_well_formed),
        cmocka_unit_test(valid_len_sees_a_bad_byte_at_each_offset),
        cmocka_unit_test(every_code_point_is_encoded_as_one_valid_character),
        cmocka_unit_test(plain_text_has_no_control_characters),
        cmocka_unit_test(cut_ends_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
