/* Memory that runs out at any point: a printed JSON document is whole, or printing fails. */
#include "base/json_out.h"

#include "scarce_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Each of the strings makes json-c's text grow, and without one of them it would still be JSON. */
static int print(struct buffer *text)
{
    struct json_out *out = json_out_new();
    char content[3000];
    int result;

    json_out_array(out, NULL);
    for (size_t len = 30; len < sizeof(content); len *= 3) {
        memset(content, 'a', len);
        json_out_string(out, NULL, (struct slice){ content, len });
    }
    json_out_text(out, NULL, "\xff");
    json_out_raw(out, NULL, SLICE_LITERAL("1.10"));
    json_out_end(out);
    result = json_out_print(out, JSON_OUT_PLAIN, text);
    json_out_free(out);
    return result;
}

static void print_with_scarce_memory(bool everywhere)
{
    struct scarce scarce = { .everywhere = everywhere };
    struct buffer right;

    buffer_init(&right, 1 << 20);
    assert_int_equal(print(&right), 0);
    while (scarce_next(&scarce)) {
        struct buffer text;
        bool failed;
        int result;

        buffer_init(&text, 1 << 20);
        result = print(&text);
        failed = scarce_end(&scarce);
        assert_int_equal(result, failed ? -1 : 0);
        if (result == 0)
            assert_string_equal(text.data, right.data);
        buffer_release(&text);
    }
    assert_true(scarce.round > 3);
    buffer_release(&right);
}

static void a_document_is_whole_or_fails(void **state)
{
    (void)state;
    print_with_scarce_memory(false);
}

static void a_document_is_whole_or_fails_when_json_c_finds_no_memory(void **state)
{
    (void)state;
    if (!scarce_reaches_libraries())
        skip();
    print_with_scarce_memory(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_whole_or_fails),
        cmocka_unit_test(a_document_is_whole_or_fails_when_json_c_finds_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
