#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_digest(const struct slice *parts, size_t count, const char *expected)
{
    uint8_t digest[DIGEST_BYTES];
    char text[2 * DIGEST_BYTES + 1];

    assert_int_equal(digest_sha256(digest, parts, count), 0);
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(text, expected);
}

/* The examples of FIPS 180-2. */
static void known_values(void **state)
{
    static const char of_nothing[] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    (void)state;
    assert_digest(NULL, 0, of_nothing);
    assert_digest(&(struct slice){ NULL, 0 }, 1, of_nothing);
    assert_digest(&SLICE_LITERAL("abc"), 1, of_abc);
}

static void parts_are_one_after_another(void **state)
{
    static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const struct slice parts[] = { SLICE_LITERAL("a"), { NULL, 0 }, SLICE_LITERAL("bc") };

    (void)state;
    assert_digest(parts, 3, of_abc);
}

/* Takes fmix64 back: each factor is the inverse, modulo 2^64, of one of its factors. */
static uint64_t unmix(uint64_t hash)
{
    hash = (hash ^ (hash >> 33)) * UINT64_C(0x9cb4b2f8129337db);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0x4f74430c22a54005);
    return hash ^ (hash >> 33);
}

/* The vectors of the FNV authors. */
static void quick_is_fnv_1a_and_fmix64(void **state)
{
    (void)state;
    assert_true(unmix(UINT64_C(0xb456bcfc34c2cb2c)) == 1);
    assert_true(unmix(digest_quick(SLICE_LITERAL(""))) == UINT64_C(0xcbf29ce484222325));
    assert_true(unmix(digest_quick(SLICE_LITERAL("a"))) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(unmix(digest_quick(SLICE_LITERAL("foobar"))) == UINT64_C(0x85944171f73967e8));
}

/* Each bit is set for about half of any texts, also for texts that hardly differ. 40 % is 6.3
   standard deviations away. */
static void each_bit_of_quick_moves(void **state)
{
    static const struct {
        const char *prefix;
        int width;
        const char *suffix;
    } series[] = { { "", 0, "" }, { "", 8, "" }, { "C-", 6, "" }, { "", 0, "-A" }, { "n", 0, "" } };

    (void)state;
    for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
        unsigned set[64] = { 0 };

        for (int id = 1; id <= 1000; id++) {
            char text[32];
            int len = snprintf(text, sizeof(text), "%s%0*d%s", series[i].prefix, series[i].width,
                               id, series[i].suffix);
            uint64_t hash = digest_quick((struct slice){ text, (size_t)len });

            for (unsigned bit = 0; bit < 64; bit++)
                set[bit] += (unsigned)(hash >> bit & 1);
        }
        for (unsigned bit = 0; bit < 64; bit++)
            assert_in_range(set[bit], 400, 600);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(parts_are_one_after_another),
        cmocka_unit_test(quick_is_fnv_1a_and_fmix64),
        cmocka_unit_test(each_bit_of_quick_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
