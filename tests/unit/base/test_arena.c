#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    struct arena arena;
    unsigned char *last = NULL;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t size = 1; size < 500; size++) {
        unsigned char *place = arena_alloc(&arena, size);

        assert_non_null(place);
        assert_int_equal((uintptr_t)place % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(place[i], 0);
        memset(place, 0xAA, size);
        if (last != NULL)
            for (size_t i = 0; i < size - 1; i++)
                assert_int_equal(last[i], 0xAA);
        last = place;
    }
    arena_release(&arena);
    assert_int_equal(arena.used_bytes, 0);
}

static void nothing_is_a_valid_pointer(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_non_null(arena_alloc(&arena, 0));
    assert_non_null(arena_alloc_array(&arena, 0, 8));
    arena_release(&arena);
}

static void the_maximum_holds(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 10000);
    assert_null(arena_alloc(&arena, 10001));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 4));
    assert_null(arena_alloc_array(&arena, SIZE_MAX / 2, 3));
    assert_non_null(arena_alloc(&arena, 9000));
    assert_null(arena_alloc(&arena, 9000));
    assert_non_null(arena_alloc(&arena, 500));
    assert_true(arena.used_bytes <= 10000);
    arena_release(&arena);
}

static void small_requests_stop_at_the_maximum(void **state)
{
    struct arena arena;
    size_t count = 0;

    (void)state;
    arena_init(&arena, 100000);
    while (arena_alloc(&arena, 100) != NULL) {
        count++;
        assert_true(count < 1000);
    }
    assert_true(count > 500);
    assert_true(arena.used_bytes <= 100000);
    arena_release(&arena);
}

static void clearing_keeps_one_zeroed_block(void **state)
{
    struct arena arena;
    unsigned char *place;
    size_t kept;

    (void)state;
    arena_init(&arena, 1 << 20);
    arena_clear(&arena);
    for (int i = 0; i < 100; i++)
        memset(arena_alloc(&arena, 100), 0xAA, 100);
    arena_clear(&arena);
    kept = arena.used_bytes;
    assert_true(kept > 0 && kept < (size_t)100 * 100);
    place = arena_alloc(&arena, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(place[i], 0);
    assert_int_equal(arena.used_bytes, kept);
    arena_release(&arena);
}

static void what_is_counted_is_not_there_for_others(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    assert_true(arena_count(&arena, 3000));
    assert_int_equal(arena.used_bytes, 3000);
    assert_null(arena_alloc(&arena, 2000));
    assert_non_null(arena_alloc(&arena, 1000));
    arena.full = false;
    assert_false(arena_count(&arena, 1000));
    assert_true(arena.full);
    arena_release(&arena);
    assert_int_equal(arena.used_bytes, 0);
}

static void copies_end_in_a_nul_byte(void **state)
{
    struct arena arena;
    struct slice copy;

    (void)state;
    arena_init(&arena, 4096);
    assert_string_equal(arena_copy(&arena, "abcdef", 3), "abc");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    copy = arena_copy_slice(&arena, SLICE_LITERAL("a\0b"));
    assert_true(slice_equal(copy, SLICE_LITERAL("a\0b")));
    assert_int_equal(copy.data[3], 0);
    assert_null(arena_copy_slice(&arena, (struct slice){ "x", 1 << 20 }).data);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(nothing_is_a_valid_pointer),
        cmocka_unit_test(the_maximum_holds),
        cmocka_unit_test(small_requests_stop_at_the_maximum),
        cmocka_unit_test(clearing_keeps_one_zeroed_block),
        cmocka_unit_test(what_is_counted_is_not_there_for_others),
        cmocka_unit_test(copies_end_in_a_nul_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
