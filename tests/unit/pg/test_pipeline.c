#include "pg/pipeline.h"

#include "pg/binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct pg_statement PLAIN = { .name = "plain", .sql = "SELECT 1" };
static const struct pg_statement ROWS = {
    .name = "rows",
    .sql = "SELECT $1, unnest($2::text[])",
    .param_count = 2,
    .param_types = (const Oid[]){ TEXT_OID, TEXT_ARRAY_OID },
};

static void calls_keep_their_order_and_their_arguments(void **state)
{
    struct pg_pipeline pipeline = { .max_bytes = 1024 };
    struct pg_arguments *arguments;

    (void)state;
    pg_pipeline_add_ready(&pipeline, &PLAIN, NULL);
    arguments = pg_pipeline_add(&pipeline, &ROWS, 1);
    assert_non_null(arguments);
    pg_arguments_scalar(arguments, 0, "queue", 5);
    pg_array_bytes(&arguments->arrays[0], SLICE_LITERAL("a"));
    assert_int_equal(pg_pipeline_finish(&pipeline), 0);
    assert_int_equal(pipeline.count, 2);
    assert_ptr_equal(pipeline.calls[0].statement, &PLAIN);
    assert_null(pipeline.calls[0].params);
    assert_ptr_equal(pipeline.calls[1].statement, &ROWS);
    assert_int_equal(pipeline.calls[1].params->count, 2);
    assert_string_equal(pipeline.calls[1].params->values[0], "queue");
    assert_int_equal(pipeline.calls[1].params->lengths[1], 20 + 4 + 1);
    pg_pipeline_clear(&pipeline);
}

static void a_cleared_pipeline_takes_the_next_round_trip(void **state)
{
    struct pg_pipeline pipeline = { .max_bytes = 1024 };

    (void)state;
    assert_non_null(pg_pipeline_add(&pipeline, &ROWS, 1));
    pipeline.calls[0].result = PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
    pg_pipeline_clear(&pipeline);
    assert_int_equal(pipeline.count, 0);
    pg_pipeline_add_ready(&pipeline, &PLAIN, NULL);
    assert_null(pipeline.calls[0].params);
    assert_null(pipeline.calls[0].result);
    assert_int_equal(pg_pipeline_finish(&pipeline), 0);
    pg_pipeline_clear(&pipeline);
}

static void a_full_pipeline_takes_no_more(void **state)
{
    struct pg_pipeline pipeline = { .max_bytes = 1024 };

    (void)state;
    for (int i = 0; i < PG_PIPELINE_MAX_CALLS; i++)
        assert_non_null(pg_pipeline_add(&pipeline, &ROWS, 1));
    assert_null(pg_pipeline_add(&pipeline, &ROWS, 1));
    assert_int_equal(pipeline.count, PG_PIPELINE_MAX_CALLS);
    pg_pipeline_clear(&pipeline);
}

static void an_array_beyond_the_limit_fails_at_the_end(void **state)
{
    struct pg_pipeline pipeline = { .max_bytes = 32 };
    struct pg_arguments *arguments;

    (void)state;
    arguments = pg_pipeline_add(&pipeline, &ROWS, 1);
    assert_non_null(arguments);
    pg_array_bytes(&arguments->arrays[0], SLICE_LITERAL("longer than the limit allows it to be"));
    assert_int_equal(pg_pipeline_finish(&pipeline), -1);
    pg_pipeline_clear(&pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_keep_their_order_and_their_arguments),
        cmocka_unit_test(a_cleared_pipeline_takes_the_next_round_trip),
        cmocka_unit_test(a_full_pipeline_takes_no_more),
        cmocka_unit_test(an_array_beyond_the_limit_fails_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
