#include "bridge/in_hand.h"

#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct message *add(struct in_hand *in_hand, uint64_t tag)
{
    struct message *message = fakes_message("a", 0);

    message->delivery->tag = tag;
    in_hand_add(in_hand, message);
    return message;
}

static void only_the_leading_done_messages_are_settled(void **state)
{
    struct in_hand in_hand;
    struct message *second;
    uint64_t tag = 0;

    (void)state;
    in_hand_init(&in_hand);
    atomic_store(&add(&in_hand, 11)->done, true);
    second = add(&in_hand, 12);
    atomic_store(&add(&in_hand, 13)->done, true);
    assert_int_equal(in_hand.count, 3);
    assert_true(in_hand_settle(&in_hand, &tag));
    assert_int_equal(tag, 11);
    assert_false(in_hand_settle(&in_hand, &tag));
    atomic_store(&second->done, true);
    assert_true(in_hand_settle(&in_hand, &tag));
    assert_int_equal(tag, 13);
    assert_int_equal(in_hand.count, 0);
    assert_int_equal(in_hand.bytes, 0);
    assert_int_equal(in_hand.arrivals, 3);
}

static void release_frees_what_is_not_done(void **state)
{
    struct in_hand in_hand;

    (void)state;
    in_hand_init(&in_hand);
    add(&in_hand, 1);
    add(&in_hand, 2);
    assert_true(in_hand.bytes > 0);
    in_hand_release(&in_hand);
    assert_null(in_hand.oldest);
    assert_int_equal(in_hand.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_leading_done_messages_are_settled),
        cmocka_unit_test(release_frees_what_is_not_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
