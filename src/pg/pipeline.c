#include "pg/pipeline.h"

#include "pg/round_trip.h"

_Static_assert((int)PG_PIPELINE_MAX_CALLS <= (int)PG_ROUND_TRIP_MAX_CALLS,
               "every round trip can be sent");

struct pg_arguments *pg_pipeline_add(struct pg_pipeline *pipeline,
                                     const struct pg_statement *statement, size_t scalars)
{
    struct pg_arguments *arguments;

    if (pipeline->count == PG_PIPELINE_MAX_CALLS)
        return NULL;
    arguments = &pipeline->arguments[pipeline->count];
    if (pg_arguments_init(arguments, statement, scalars, pipeline->max_bytes) != 0) {
        pg_arguments_release(arguments);
        return NULL;
    }
    pg_pipeline_add_ready(pipeline, statement, &arguments->params);
    return arguments;
}

void pg_pipeline_add_ready(struct pg_pipeline *pipeline, const struct pg_statement *statement,
                           const struct pg_params *params)
{
    pipeline->calls[pipeline->count++] =
        (struct pg_call){ .statement = statement, .params = params };
}

int pg_pipeline_finish(struct pg_pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->count; i++) {
        if (pg_arguments_finish(&pipeline->arguments[i]) != 0)
            return -1;
    }
    return 0;
}

void pg_pipeline_clear(struct pg_pipeline *pipeline)
{
    pg_calls_clear(pipeline->calls, pipeline->count);
    for (size_t i = 0; i < pipeline->count; i++)
        pg_arguments_release(&pipeline->arguments[i]);
    pipeline->count = 0;
}
