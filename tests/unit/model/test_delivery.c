#include "model/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void a_copy_is_whole_and_its_own(void **state)
{
    char body[] = "{\"id\":\"1\"}";
    const struct delivery source = { .tag = 7,
                                     .redelivered = true,
                                     .body = slice_of(body),
                                     .content_type = SLICE_LITERAL("application/json"),
                                     .properties = SLICE_LITERAL("{}") };
    struct delivery *copy = delivery_copy(&source);

    (void)state;
    assert_non_null(copy);
    body[0] = 'x';
    assert_true(slice_is(copy->body, "{\"id\":\"1\"}"));
    assert_true(slice_is(copy->content_type, "application/json"));
    assert_true(slice_is(copy->properties, "{}"));
    assert_null(copy->message_id.data);
    assert_int_equal(copy->tag, 7);
    assert_true(copy->redelivered);
    assert_int_equal(copy->bytes, sizeof(*copy) + 10 + 16 + 2);
    delivery_free(copy);
}

static void an_empty_body_stays_empty_and_present(void **state)
{
    const struct delivery source = { .body = SLICE_LITERAL(""), .properties = SLICE_LITERAL("{}") };
    struct delivery *copy = delivery_copy(&source);

    (void)state;
    assert_non_null(copy);
    assert_non_null(copy->body.data);
    assert_int_equal(copy->body.len, 0);
    delivery_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_whole_and_its_own),
        cmocka_unit_test(an_empty_body_stays_empty_and_present),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
