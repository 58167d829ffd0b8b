#include "pg/arguments.h"

#include <stdlib.h>

int pg_arguments_init(struct pg_arguments *arguments, const struct pg_statement *statement,
                      size_t scalars, size_t max_bytes)
{
    size_t count = (size_t)statement->param_count;

    *arguments = (struct pg_arguments){ .scalars = scalars };
    arguments->arrays = calloc(count, sizeof(*arguments->arrays));
    arguments->values = calloc(count, sizeof(*arguments->values));
    arguments->lengths = calloc(count, sizeof(*arguments->lengths));
    if (arguments->arrays == NULL || arguments->values == NULL || arguments->lengths == NULL)
        return -1;
    for (size_t i = scalars; i < count; i++)
        pg_array_init(&arguments->arrays[i - scalars], pg_array_element(statement->param_types[i]),
                      max_bytes);
    arguments->array_count = count - scalars;
    arguments->params = (struct pg_params){ (int)count, arguments->values, arguments->lengths };
    return 0;
}

void pg_arguments_release(struct pg_arguments *arguments)
{
    for (size_t i = 0; i < arguments->array_count; i++)
        pg_array_release(&arguments->arrays[i]);
    free(arguments->arrays);
    free(arguments->values);
    free(arguments->lengths);
    *arguments = (struct pg_arguments){ 0 };
}

void pg_arguments_scalar(struct pg_arguments *arguments, size_t number, const void *bytes,
                         size_t len)
{
    arguments->values[number] = bytes;
    arguments->lengths[number] = (int)len;
}

int pg_arguments_finish(struct pg_arguments *arguments)
{
    for (size_t i = 0; i < arguments->array_count; i++) {
        struct pg_array *array = &arguments->arrays[i];

        if (pg_array_finish(array) != 0)
            return -1;
        pg_arguments_scalar(arguments, arguments->scalars + i, array->bytes.data, array->bytes.len);
    }
    return 0;
}
