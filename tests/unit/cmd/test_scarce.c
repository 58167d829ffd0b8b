/* Memory that runs out at any point: what `kopru map` prints is all of it, or nothing, and a
   problem is no success. */
#include "cmd/map_print.h"

#include "base/civil_time.h"
#include "cmd/cmd.h"
#include "mapping/mapper.h"
#include "scarce_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct mapping_rules RULES = { "Europe/Istanbul", 65536, 64 };

static const char BODY[] = "{\"id\":\"1\",\"name\":\"n\",\"other\":{\"x\":1.10},\"completionDate\":"
                           "{\"startDateTime\":\"2021-08-13\",\"endDateTime\":7},"
                           "\"characteristic\":[{\"name\":\"a\",\"valueType\":\"Float\",\"value\":"
                           "\"1e2\"},{\"name\":\"b\",\"valueType\":\"Boolean\","
                           "\"value\":true,\"more\":null}],\"engagedParty\":[]}";

struct printed {
    struct mapping *mapping;
    struct mapper *mapper;
    struct arena arena;
    struct change *change;
};

static int set_up(void **state)
{
    struct printed *printed = calloc(1, sizeof(*printed));
    struct error_list problems;
    struct refusal refusal;
    struct error err;

    assert_non_null(printed);
    error_list_init(&problems);
    assert_int_equal(civil_zone_set(RULES.time_zone, &err), 0);
    assert_int_equal(
        mapping_load(&printed->mapping, "etc/entities/subscription.cfg", &RULES, &problems), 0);
    printed->mapper = mapper_new(printed->mapping);
    assert_non_null(printed->mapper);
    arena_init(&printed->arena, 1 << 20);
    assert_int_equal(
        mapper_map(printed->mapper, slice_of(BODY), &printed->arena, &printed->change, &refusal),
        MAP_ACCEPTED);
    *state = printed;
    return 0;
}

static int tear_down(void **state)
{
    struct printed *printed = *state;

    arena_release(&printed->arena);
    mapper_free(printed->mapper);
    mapping_free(printed->mapping);
    free(printed);
    return 0;
}

static int print(const struct printed *printed, struct buffer *text)
{
    struct json_out *out = json_out_new();
    int result;

    map_print_change(out, mapping_entity(printed->mapping), printed->change);
    result = json_out_print(out, JSON_OUT_PRETTY, text);
    json_out_free(out);
    return result;
}

static void print_with_scarce_memory(const struct printed *printed, bool everywhere)
{
    struct scarce scarce = { .everywhere = everywhere };
    struct buffer right;

    buffer_init(&right, 1 << 20);
    assert_int_equal(print(printed, &right), 0);
    while (scarce_next(&scarce)) {
        struct buffer text;
        bool failed;
        int result;

        buffer_init(&text, 1 << 20);
        result = print(printed, &text);
        failed = scarce_end(&scarce);
        assert_true(result == 0 || failed);
        if (result == 0)
            assert_string_equal(text.data, right.data);
        buffer_release(&text);
    }
    assert_true(scarce.round > 5);
    buffer_release(&right);
}

static void all_is_printed_or_nothing(void **state)
{
    print_with_scarce_memory(*state, false);
}

static void the_same_when_json_c_finds_no_memory(void **state)
{
    if (!scarce_reaches_libraries())
        skip();
    print_with_scarce_memory(*state, true);
}

static void problems_that_cannot_be_kept_are_problems_still(void **state)
{
    struct scarce scarce = { .everywhere = false };

    (void)state;
    while (scarce_next(&scarce)) {
        struct error_list problems;
        struct error err;
        bool failed;

        error_list_init(&problems);
        error_set(&err, ERROR_CONFIG, "what", NULL, "why");
        error_list_add(&problems, &err);
        failed = scarce_end(&scarce);
        assert_int_equal(command_status(&problems), failed ? ERROR_INTERNAL : ERROR_CONFIG);
        error_list_release(&problems);
        assert_int_equal(command_status(&problems), 0);
    }
    assert_true(scarce.round > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_printed_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_when_json_c_finds_no_memory, set_up, tear_down),
        cmocka_unit_test(problems_that_cannot_be_kept_are_problems_still),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
