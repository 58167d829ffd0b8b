#include "pg/describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const struct pg_description *description, void *context)
{
    size_t *count = context;
    int names = 0;

    while (description->parameters[names] != NULL)
        names++;
    if (names < description->statement->param_count)
        fail_msg("%s has %d parameters, %d of them named", description->statement->name,
                 description->statement->param_count, names);
    (*count)++;
}

/* A statement that gets one parameter more must not be printed with names from behind the list. */
static void each_parameter_has_a_name(void **state)
{
    size_t count = 0;

    (void)state;
    pg_describe_common(check, &count);
    assert_true(count > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_parameter_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
