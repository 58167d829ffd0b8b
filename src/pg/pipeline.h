/*
 * The calls of the next round trip while it is put together, with the arguments they send.
 *
 *     arguments = pg_pipeline_add(&pipeline, &statement, scalars)    // for each call
 *     ... fill arguments
 *     pg_pipeline_finish(&pipeline)
 *     pg_conn_round_trip(conn, pipeline.calls, pipeline.count, &failure)
 *     ... read pipeline.calls[n].result
 *     pg_pipeline_clear(&pipeline)                                   // ready for the next one
 */
#ifndef KOPRU_PG_PIPELINE_H
#define KOPRU_PG_PIPELINE_H

#include "model/entity.h"
#include "pg/arguments.h"
#include "pg/call.h"

/* Enough for the longest round trip: both writes of roots, removals and writes of each child, dead
   letters, the question for triggers, the check of a probe. The first round trip has four calls,
   whatever the entity. */
enum { PG_PIPELINE_MAX_CALLS = 5 + 2 * ENTITY_MAX_CHILDREN };

/* Zeroed but for max_bytes: empty. */
struct pg_pipeline {
    struct pg_call calls[PG_PIPELINE_MAX_CALLS];
    struct pg_arguments arguments[PG_PIPELINE_MAX_CALLS]; /* zeroed for a call that has none */
    size_t count;
    size_t max_bytes; /* the most that one array of a call may take */
};

/* Adds a call. Returns its arguments, which are to be filled and stay the pipeline's, or NULL when
   there is no memory. scalars: as in pg_arguments_init(). */
struct pg_arguments *pg_pipeline_add(struct pg_pipeline *pipeline,
                                     const struct pg_statement *statement, size_t scalars);

/* Adds a call whose parameters are ready; NULL for a statement that takes none. They must live
   until pg_pipeline_clear(). */
void pg_pipeline_add_ready(struct pg_pipeline *pipeline, const struct pg_statement *statement,
                           const struct pg_params *params);

/* Completes all arguments. Returns 0, or -1 when an array outgrew max_bytes or memory. */
int pg_pipeline_finish(struct pg_pipeline *pipeline);

/* Frees results and arguments. */
void pg_pipeline_clear(struct pg_pipeline *pipeline);

#endif
