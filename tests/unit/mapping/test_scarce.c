/* Entity files and payloads when memory runs out at any point: the answer is "no memory", and the
   next attempt is as good as the first. */
#include "mapping/mapper.h"

#include "base/civil_time.h"
#include "scarce_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct mapping_rules RULES = { "Europe/Istanbul", 65536, 64 };

/* It has everything at once: alternatives, broken elements, misfits, leftovers, escapes, and
   numbers that are rewritten. */
static const char RICH[] = "{\"meta\":{\"id\":\"i\\u0064\",\"kind\":1e3,\"x\":[1,{\"a\":null}]},"
                           "\"characteristic\":{\"name\":\"a\\n\"},\"name\":\"b\","
                           "\"amount\":\"-1e2\",\"born\":\"2021-08-13T23:00\",\"valid\":{\"from\":"
                           "\"2021-08-13\",\"to\":{\"when\":\"no\"}},"
                           "\"place\":[{\"characteristic\":{\"city\":\"c\",\"floor\":3},\"weight\":"
                           "-5,\"main\":\"x\"},7,{}],"
                           "\"one\":[{\"name\":\"n\",\"type\":\"Floa\\u0074\",\"value\":-1.5e1},{"
                           "\"name\":\"n\",\"type\":\"Date\",\"value\":\"x\"},{}],"
                           "\"two\":{\"name\":\"n\",\"type\":\"DateTime\",\"value\":\"2021-08-13\","
                           "\"more\":\"\\u00e9\"},\"pair\":null,\"\\u0001\":0}";

struct loaded {
    struct mapping *mapping;
    struct mapper *mapper;
    struct arena arena;
    struct change *change;
    struct refusal refusal;
};

static int load(struct mapping **mapping, const char *path, struct error_list *problems)
{
    error_list_init(problems);
    return mapping_load(mapping, path, &RULES, problems);
}

static enum map_outcome map(struct loaded *loaded, const char *body)
{
    arena_clear(&loaded->arena);
    loaded->refusal = (struct refusal){ 0 };
    return mapper_map(loaded->mapper, slice_of(body), &loaded->arena, &loaded->change,
                      &loaded->refusal);
}

static int set_up(void **state)
{
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    struct error_list problems;
    struct error err;

    assert_non_null(loaded);
    assert_int_equal(civil_zone_set(RULES.time_zone, &err), 0);
    assert_int_equal(load(&loaded->mapping, "tests/fuzz/every_feature.cfg", &problems), 0);
    loaded->mapper = mapper_new(loaded->mapping);
    assert_non_null(loaded->mapper);
    arena_init(&loaded->arena, 1 << 20);
    *state = loaded;
    return 0;
}

static int tear_down(void **state)
{
    struct loaded *loaded = *state;

    arena_release(&loaded->arena);
    mapper_free(loaded->mapper);
    mapping_free(loaded->mapping);
    free(loaded);
    return 0;
}

static void entity_files_load_or_say_that_memory_is_short(void **state)
{
    static const char *const files[] = { "etc/entities/customer.cfg",
                                         "etc/entities/subscription.cfg",
                                         "tests/fuzz/every_feature.cfg" };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct scarce scarce = { 0 };

        while (scarce_next(&scarce)) {
            struct error_list problems;
            struct mapping *mapping;
            int result = load(&mapping, files[i], &problems);
            bool failed = scarce_end(&scarce);

            assert_int_equal(result, failed ? -1 : 0);
            assert_int_equal(mapping == NULL, failed);
            if (failed && !scarce.lasting) { /* then there is room for the problem */
                assert_int_equal(problems.count, 1);
                assert_int_equal(problems.items[0].kind, ERROR_INTERNAL);
            }
            mapping_free(mapping);
            error_list_release(&problems);
        }
        assert_true(scarce.round > 10);
    }
}

static void broken_entity_files_never_load(void **state)
{
    struct scarce scarce = { 0 };

    (void)state;
    while (scarce_next(&scarce)) {
        struct error_list problems;
        struct mapping *mapping;
        int result = load(&mapping, "tests/fuzz/corpus/entity_file/no-ordinal", &problems);

        scarce_end(&scarce);
        assert_int_equal(result, -1);
        assert_null(mapping);
        error_list_release(&problems);
    }
}

static void a_mapper_is_made_or_not(void **state)
{
    struct loaded *loaded = *state;
    struct scarce scarce = { 0 };

    while (scarce_next(&scarce)) {
        struct mapper *mapper = mapper_new(loaded->mapping);
        bool failed = scarce_end(&scarce);

        assert_int_equal(mapper == NULL, failed);
        mapper_free(mapper);
    }
    assert_true(scarce.round > 3);
}

/* Each round begins with a new mapper and an empty arena, so that every allocation takes place. */
static void renew(struct loaded *loaded)
{
    mapper_free(loaded->mapper);
    loaded->mapper = mapper_new(loaded->mapping);
    assert_non_null(loaded->mapper);
    arena_release(&loaded->arena);
}

static void map_with_scarce_memory(struct loaded *loaded, const char *body, bool everywhere)
{
    struct scarce scarce = { .everywhere = everywhere };
    enum map_outcome right = map(loaded, body);
    struct refusal refusal = loaded->refusal;
    uint8_t hash[DIGEST_BYTES] = { 0 };
    unsigned leftovers = 0;

    if (right == MAP_ACCEPTED) {
        memcpy(hash, loaded->change->hash, sizeof(hash));
        leftovers = (unsigned)loaded->change->leftover_count;
    }
    renew(loaded);
    while (scarce_next(&scarce)) {
        enum map_outcome outcome = map(loaded, body);
        bool failed = scarce_end(&scarce);

        assert_true(outcome == right || (failed && outcome == MAP_NO_MEMORY));
        assert_int_equal(map(loaded, body), right);
        if (right == MAP_ACCEPTED) {
            assert_memory_equal(loaded->change->hash, hash, sizeof(hash));
            assert_int_equal(loaded->change->leftover_count, leftovers);
        } else {
            assert_int_equal(loaded->refusal.reason, refusal.reason);
            assert_string_equal(loaded->refusal.detail, refusal.detail);
        }
        renew(loaded);
    }
    assert_true(scarce.round > 1);
}

static const char *const BODIES[] = {
    RICH,
    "{\"meta\":{\"id\":\"i\\u0064\"},\"place\":7}",
    "{\"meta\":{\"id\":{}}}",
    "{\"meta\":5}",
    "[1,[2]]",
    "{\"meta\":",
};

static void payloads_are_mapped_right_or_not_at_all(void **state)
{
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++)
        map_with_scarce_memory(*state, BODIES[i], false);
}

static void the_same_when_a_library_finds_no_memory(void **state)
{
    if (!scarce_reaches_libraries())
        skip();
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++)
        map_with_scarce_memory(*state, BODIES[i], true);
}

/* A message that does not fit into the arena's maximum is too large; that is not a lack of memory,
   which might pass. */
static void an_arena_of_any_size_is_enough_or_the_message_too_large(void **state)
{
    struct loaded *loaded = *state;
    enum map_outcome outcome = MAP_REFUSED;
    size_t max_bytes;

    for (max_bytes = 0; outcome == MAP_REFUSED; max_bytes += 64) {
        arena_release(&loaded->arena);
        arena_init(&loaded->arena, max_bytes);
        outcome = map(loaded, RICH);
        if (outcome == MAP_REFUSED) {
            assert_int_equal(loaded->refusal.reason, REFUSAL_TOO_LARGE);
            assert_null(loaded->change);
            assert_true(loaded->arena.used_bytes <= max_bytes);
        }
    }
    assert_int_equal(outcome, MAP_ACCEPTED);
    assert_true(max_bytes > 2048 && max_bytes < mapper_arena_limit(loaded->mapping));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entity_files_load_or_say_that_memory_is_short),
        TEST(broken_entity_files_never_load),
        TEST(a_mapper_is_made_or_not),
        TEST(payloads_are_mapped_right_or_not_at_all),
        TEST(the_same_when_a_library_finds_no_memory),
        TEST(an_arena_of_any_size_is_enough_or_the_message_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
