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

static void done_messages_behind_another_are_settled_alone(void **state)
{
    struct in_hand in_hand;
    struct message *open[2];
    uint64_t tags[2];
    uint64_t tag = 0;

    (void)state;
    in_hand_init(&in_hand);
    assert_int_equal(in_hand_settle_behind(&in_hand, tags, 2), 0);
    open[0] = add(&in_hand, 11);
    atomic_store(&add(&in_hand, 12)->done, true);
    open[1] = add(&in_hand, 13);
    atomic_store(&add(&in_hand, 14)->done, true);
    atomic_store(&add(&in_hand, 15)->done, true);
    assert_int_equal(in_hand_settle_behind(&in_hand, tags, 2), 2);
    assert_int_equal(tags[0], 12);
    assert_int_equal(tags[1], 14);
    assert_int_equal(in_hand_settle_behind(&in_hand, tags, 2), 1);
    assert_int_equal(tags[0], 15);
    assert_int_equal(in_hand.count, 2);
    assert_ptr_equal(in_hand.youngest, open[1]);
    add(&in_hand, 16);
    atomic_store(&open[0]->done, true);
    atomic_store(&open[1]->done, true);
    assert_true(in_hand_settle(&in_hand, &tag));
    assert_int_equal(tag, 13);
    assert_int_equal(in_hand.count, 1);
    in_hand_release(&in_hand);
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
        cmocka_unit_test(done_messages_behind_another_are_settled_alone),
        cmocka_unit_test(release_frees_what_is_not_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
