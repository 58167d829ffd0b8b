#include "cmd/map_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct column THING_COLUMNS[] = {
    { "thing_id", VALUE_TEXT },      { "amount", VALUE_NUMERIC }, { "day", VALUE_DATE },
    { "moment", VALUE_TIMESTAMPTZ }, { "good", VALUE_BOOLEAN },   { "note", VALUE_TEXT },
    { "extra", VALUE_JSONB },
};
static const struct column PART_COLUMNS[] = { { "thing_id", VALUE_TEXT },
                                              { "bag", VALUE_TEXT },
                                              { "position", VALUE_INTEGER },
                                              { "extra", VALUE_JSONB } };
static const struct child_set PART_SETS[] = { { "old" }, { "new" } };
static const struct child CHILDREN[] = {
    { { "parts", PART_COLUMNS, 4, 3, 3 }, PART_SETS, 2, true }
};
static const struct entity THING = {
    "thing", { "things", THING_COLUMNS, 7, 1, 6 }, CHILDREN, 1, 2
};

static struct value text(const char *content)
{
    return value_of_text(slice_of(content));
}

static struct value number(int64_t content)
{
    return value_of_number(content);
}

static void expect(struct json_out *out, const char *wanted)
{
    struct buffer printed;

    buffer_init(&printed, 4096);
    assert_int_equal(json_out_print(out, JSON_OUT_PLAIN, &printed), 0);
    assert_string_equal(printed.data, wanted);
    buffer_release(&printed);
    json_out_free(out);
}

static void every_type_has_its_form(void **state)
{
    struct json_out *out = json_out_new();
    struct value root[] = { text("t-1"), text("1.50"), number(0), number(1500000),
                            number(1),   { 0 },        { 0 } };
    bool set[] = { false, true, true, true, true, true, false };
    bool present[] = { false, false };
    struct json_pair leftovers[] = { { SLICE_LITERAL("big"),
                                       SLICE_LITERAL("123456789012345678901234567890") },
                                     { SLICE_LITERAL("q\"q"), SLICE_LITERAL("{\"a\": null}") } };
    struct row_set sets[2] = { { 0 } };
    struct change change = { .id = SLICE_LITERAL("t-1"),
                             .root = root,
                             .root_set = set,
                             .leftovers = leftovers,
                             .leftover_count = 2,
                             .set_present = present,
                             .sets = sets,
                             .misfits = 3,
                             .broken = 4 };

    (void)state;
    map_print_change(out, &THING, &change);
    expect(
        out,
        "{\"entity\":\"thing\",\"id\":\"t-1\",\"rows\":{\"things\":[{\"thing_id\":\"t-1\","
        "\"amount\":\"1.50\","
        "\"day\":\"2000-01-01\",\"moment\":\"2000-01-01T00:00:01.5Z\",\"good\":true,\"note\":null,"
        "\"extra\":{\"big\": 123456789012345678901234567890, \"q\\\"q\": {\"a\": "
        "null}}}]},\"misfits\":3,\"broken\":4}");
}

static void absent_columns_and_sets_are_left_out(void **state)
{
    struct json_out *out = json_out_new();
    struct value root[7] = { text("1") };
    bool set[7] = { false };
    bool present[] = { false, true };
    struct value row[] = { text("1"), text("new"), number(1), text("{\"a\": 1}") };
    struct value *rows[] = { row };
    struct row_set sets[2] = { { 0 }, { rows, 1 } };
    struct change change = { .id = SLICE_LITERAL("1"),
                             .root = root,
                             .root_set = set,
                             .set_present = present,
                             .sets = sets };

    (void)state;
    map_print_change(out, &THING, &change);
    expect(out, "{\"entity\":\"thing\",\"id\":\"1\",\"rows\":{\"things\":[{\"thing_id\":\"1\","
                "\"extra\":{}}],"
                "\"parts\":[{\"thing_id\":\"1\",\"bag\":\"new\",\"position\":1,\"extra\":{\"a\": "
                "1}}]},\"misfits\":0,\"broken\":0}");
}

static void an_emptied_set_is_an_empty_array(void **state)
{
    struct json_out *out = json_out_new();
    struct value root[7] = { text("1") };
    bool set[7] = { false };
    bool present[] = { true, false };
    struct row_set sets[2] = { { 0 } };
    struct change change = { .id = SLICE_LITERAL("1"),
                             .root = root,
                             .root_set = set,
                             .set_present = present,
                             .sets = sets };

    (void)state;
    map_print_change(out, &THING, &change);
    expect(out, "{\"entity\":\"thing\",\"id\":\"1\",\"rows\":{\"things\":[{\"thing_id\":\"1\","
                "\"extra\":{}}],\"parts\":[]},"
                "\"misfits\":0,\"broken\":0}");
}

static void a_refusal_has_null_for_what_is_unknown(void **state)
{
    struct json_out *out = json_out_new();
    struct refusal refusal = { .reason = REFUSAL_NOT_JSON, .detail = "the body is empty" };

    (void)state;
    map_print_refusal(out, &THING, &refusal);
    expect(
        out,
        "{\"entity\":\"thing\",\"id\":null,\"dead_letter\":{\"reason\":\"not_json\",\"path\":null,"
        "\"detail\":\"the body is empty\"}}");
}

static void a_refusal_names_id_and_path(void **state)
{
    struct json_out *out = json_out_new();
    struct refusal refusal = { .reason = REFUSAL_INVALID_STRUCTURE,
                               .path = "$.a",
                               .detail = "b",
                               .entity_id = SLICE_LITERAL("7") };

    (void)state;
    map_print_refusal(out, &THING, &refusal);
    expect(out, "{\"entity\":\"thing\",\"id\":\"7\",\"dead_letter\":{\"reason\":\"invalid_"
                "structure\",\"path\":\"$.a\",\"detail\":\"b\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_form),
        cmocka_unit_test(absent_columns_and_sets_are_left_out),
        cmocka_unit_test(an_emptied_set_is_an_empty_array),
        cmocka_unit_test(a_refusal_has_null_for_what_is_unknown),
        cmocka_unit_test(a_refusal_names_id_and_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
