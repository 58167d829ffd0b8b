#include "bridge/consume/unacked.h"

#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct message *add(struct unacked *unacked, uint64_t tag)
{
    struct message *message = fakes_message("a", 0);

    message->delivery->tag = tag;
    unacked_add(unacked, message);
    return message;
}

static void only_the_oldest_committed_messages_are_taken(void **state)
{
    struct unacked unacked;
    struct message *second;
    uint64_t tag = 0;

    (void)state;
    unacked_init(&unacked);
    atomic_store(&add(&unacked, 11)->committed, true);
    second = add(&unacked, 12);
    atomic_store(&add(&unacked, 13)->committed, true);
    assert_int_equal(unacked.count, 3);
    assert_true(unacked_take_committed(&unacked, &tag));
    assert_int_equal(tag, 11);
    assert_false(unacked_take_committed(&unacked, &tag));
    atomic_store(&second->committed, true);
    assert_true(unacked_take_committed(&unacked, &tag));
    assert_int_equal(tag, 13);
    assert_int_equal(unacked.count, 0);
    assert_int_equal(unacked.bytes, 0);
    assert_int_equal(unacked.arrivals, 3);
}

static void committed_messages_behind_another_are_taken_alone(void **state)
{
    struct unacked unacked;
    struct message *open[2];
    uint64_t tags[2];
    uint64_t tag = 0;

    (void)state;
    unacked_init(&unacked);
    assert_int_equal(unacked_take_committed_behind(&unacked, tags, 2), 0);
    open[0] = add(&unacked, 11);
    atomic_store(&add(&unacked, 12)->committed, true);
    open[1] = add(&unacked, 13);
    atomic_store(&add(&unacked, 14)->committed, true);
    atomic_store(&add(&unacked, 15)->committed, true);
    assert_int_equal(unacked_take_committed_behind(&unacked, tags, 2), 2);
    assert_int_equal(tags[0], 12);
    assert_int_equal(tags[1], 14);
    assert_int_equal(unacked_take_committed_behind(&unacked, tags, 2), 1);
    assert_int_equal(tags[0], 15);
    assert_int_equal(unacked.count, 2);
    assert_ptr_equal(unacked.youngest, open[1]);
    add(&unacked, 16);
    atomic_store(&open[0]->committed, true);
    atomic_store(&open[1]->committed, true);
    assert_true(unacked_take_committed(&unacked, &tag));
    assert_int_equal(tag, 13);
    assert_int_equal(unacked.count, 1);
    unacked_release(&unacked);
}

static void release_frees_what_is_not_committed(void **state)
{
    struct unacked unacked;

    (void)state;
    unacked_init(&unacked);
    add(&unacked, 1);
    add(&unacked, 2);
    assert_true(unacked.bytes > 0);
    unacked_release(&unacked);
    assert_null(unacked.oldest);
    assert_int_equal(unacked.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_oldest_committed_messages_are_taken),
        cmocka_unit_test(committed_messages_behind_another_are_taken_alone),
        cmocka_unit_test(release_frees_what_is_not_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
