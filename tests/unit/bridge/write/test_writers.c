/* How ids are divided among the writers of a queue. */
#include "bridge/write/writers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST_WRITERS = 8, ID_MAX_BYTES = 64 };

/* Ids in order: prefix, number in decimal or hexadecimal digits, suffix. */
struct series {
    const char *prefix;
    int width;
    bool hex;
    const char *suffix;
    uint64_t first;
    uint64_t step;
};

static struct slice id_of(const struct series *series, uint64_t n, char text[ID_MAX_BYTES])
{
    unsigned long long number = series->first + n * series->step;
    int len = series->hex ? snprintf(text, ID_MAX_BYTES, "%s%0*llx%s", series->prefix,
                                     series->width, number, series->suffix)
                          : snprintf(text, ID_MAX_BYTES, "%s%0*llu%s", series->prefix,
                                     series->width, number, series->suffix);

    return (struct slice){ text, (size_t)len };
}

/* How far the busiest or the idlest writer is from its share, in percent of the share. */
static double worst_share(const struct series *series, size_t ids, size_t writers)
{
    size_t counts[MOST_WRITERS] = { 0 };
    double worst = 0;

    for (size_t n = 0; n < ids; n++) {
        char text[ID_MAX_BYTES];
        size_t writer = writers_choose(id_of(series, n, text), writers);

        assert_in_range(writer, 0, writers - 1);
        counts[writer]++;
    }
    for (size_t i = 0; i < writers; i++) {
        double off = (double)counts[i] * (double)writers / (double)ids * 100 - 100;

        worst = off > worst ? off : worst;
        worst = -off > worst ? -off : worst;
    }
    return worst;
}

static void require_shares(const struct series *series, size_t ids)
{
    for (size_t writers = 2; writers <= MOST_WRITERS; writers++) {
        double worst = worst_share(series, ids, writers);

        if (worst > 20)
            fail_msg("%zu ids like \"%s%0*llu%s\": one of %zu writers is %.0f %% off its share",
                     ids, series->prefix, series->width, (unsigned long long)series->first,
                     series->suffix, writers, worst);
    }
}

static void ids_in_a_row_meet_all_writers(void **state)
{
    static const struct series series[] = {
        { "", 0, false, "", 1, 1 },
        { "", 0, false, "", 100001, 1 },
        { "", 0, false, "", 123462, 1 },
        { "", 0, false, "", 9000000, 1 },
        { "", 8, false, "", 1, 1 },
        { "", 10, false, "", 1000000000, 1 },
        { "", 12, false, "", 0, 1 },
        { "C-", 6, false, "", 1, 1 },
        { "CUST-", 0, false, "", 5000, 1 },
        { "SUB", 0, false, "", 1, 1 },
        { "n", 0, false, "", 1, 1 },
        { "2026-11-29/", 5, false, "", 1, 1 },
        { "3f2504e0-4f89-41d3-9a0c-", 12, true, "", 0x305e82c3, 1 },
        { "00000000-0000-0000-0000-", 12, true, "", 0, 1 },
        { "", 24, true, "", 0x64a1b2c3d4e5f600, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
        require_shares(&series[i], 1000);
        require_shares(&series[i], 100000);
    }
}

/* Here the last byte is the same or takes few values, so chance decides: 1,000 ids are too few for
   a share of an eighth, of which 20 % are 2.4 standard deviations. */
static void ids_with_gaps_and_suffixes_meet_all_writers(void **state)
{
    static const struct series series[] = {
        { "", 0, false, "", 1000, 2 },
        { "", 0, false, "", 1000, 5 },
        { "", 0, false, "", 1000, 10 },
        { "", 0, false, "", 1000, 64 },
        { "", 0, false, "", 100000, 100 },
        { "", 8, true, "", 0, 256 },
        { "", 0, false, "-A", 1, 1 },
        { "C", 6, false, "/TR", 1, 1 },
        { "", 8, true, "-0000-1000-8000-00805f9b34fb", 0x5a000000, 1 },
        { "", 8, true, "-4f89-41d3-9a0c-0305e82c3301", 0x10000000, 40503 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
        require_shares(&series[i], 10000);
        require_shares(&series[i], 100000);
    }
}

/* Numbers that stand twice in an id, where sums and differences of the digits cancel out. */
static void doubled_numbers_meet_all_writers(void **state)
{
    size_t counts[MOST_WRITERS + 1][MOST_WRITERS] = { 0 };

    (void)state;
    for (int n = 1; n <= 10000; n++) {
        char text[ID_MAX_BYTES];
        int len = snprintf(text, sizeof(text), "%d-%d", n, n);

        for (size_t writers = 2; writers <= MOST_WRITERS; writers++)
            counts[writers][writers_choose((struct slice){ text, (size_t)len }, writers)]++;
    }
    for (size_t writers = 2; writers <= MOST_WRITERS; writers++)
        for (size_t i = 0; i < writers; i++)
            assert_in_range(counts[writers][i] * writers, 8000, 12000);
}

/* Version 4; the generator is Knuth's for MMIX. */
static void random_uuids_meet_all_writers(void **state)
{
    size_t counts[MOST_WRITERS + 1][MOST_WRITERS] = { 0 };
    uint64_t random = 1;

    (void)state;
    for (int n = 0; n < 10000; n++) {
        char text[ID_MAX_BYTES];
        unsigned parts[4];
        int len;

        for (size_t i = 0; i < 4; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            parts[i] = (unsigned)(random >> 32);
        }
        len =
            snprintf(text, sizeof(text), "%08x-%04x-4%03x-%04x-%04x%08x", parts[0], parts[1] >> 16,
                     parts[1] & 0xfff, 0x8000 | (parts[2] & 0x3fff), parts[2] >> 16, parts[3]);
        for (size_t writers = 2; writers <= MOST_WRITERS; writers++)
            counts[writers][writers_choose((struct slice){ text, (size_t)len }, writers)]++;
    }
    for (size_t writers = 2; writers <= MOST_WRITERS; writers++)
        for (size_t i = 0; i < writers; i++)
            assert_in_range(counts[writers][i] * writers, 8000, 12000);
}

static void the_writer_follows_from_the_id_alone(void **state)
{
    static const char *const ids[] = { "1", "134719", "C-000001", "\xC4\xB0\xFF" };

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        for (size_t writers = 1; writers <= MOST_WRITERS; writers++) {
            size_t first = writers_choose(slice_of(ids[i]), writers);

            assert_in_range(first, 0, writers - 1);
            assert_int_equal(writers_choose(slice_of(ids[i]), writers), first);
        }
    assert_int_equal(writers_choose((struct slice){ NULL, 0 }, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_in_a_row_meet_all_writers),
        cmocka_unit_test(ids_with_gaps_and_suffixes_meet_all_writers),
        cmocka_unit_test(doubled_numbers_meet_all_writers),
        cmocka_unit_test(random_uuids_meet_all_writers),
        cmocka_unit_test(the_writer_follows_from_the_id_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
