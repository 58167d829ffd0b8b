/*
 * The parameters of one statement while they are put together: some scalars first, then arrays of
 * equal length.
 *
 *     pg_arguments_init(&arguments, &statement, scalars, max_bytes)
 *     pg_arguments_scalar(&arguments, 0, "queue", 5)
 *     for each row: pg_array_value(&arguments.arrays[column], &value) ...
 *     pg_arguments_finish(&arguments)          // arguments.params is ready
 *     pg_arguments_release(&arguments)
 */
#ifndef KOPRU_PG_ARGUMENTS_H
#define KOPRU_PG_ARGUMENTS_H

#include "pg/array.h"
#include "pg/call.h"

struct pg_arguments {
    struct pg_array *arrays; /* arrays[0] is parameter `scalars` + 1 */
    size_t array_count;
    size_t scalars;
    const char **values;
    int *lengths;
    struct pg_params params; /* points to the two above; complete after pg_arguments_finish() */
};

/* scalars: how many of the statement's parameters are scalars; they come first. max_bytes: the most
   that one array may take. Returns 0, or -1 when there is no memory. Release in both cases. */
int pg_arguments_init(struct pg_arguments *arguments, const struct pg_statement *statement,
                      size_t scalars, size_t max_bytes);

/* Arguments that were only zeroed may be released, too. */
void pg_arguments_release(struct pg_arguments *arguments);

/* Sets scalar parameter number `number`, counted from 0. The bytes, in the parameter's binary form,
   must outlive the arguments. */
void pg_arguments_scalar(struct pg_arguments *arguments, size_t number, const void *bytes,
                         size_t len);

/* Completes the arrays. Returns 0, or -1 when one of them outgrew its limit or memory. */
int pg_arguments_finish(struct pg_arguments *arguments);

#endif
