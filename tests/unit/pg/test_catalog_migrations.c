#include "pg/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_known(const char *migration)
{
    size_t count;
    const char *const *migrations = catalog_migrations(&count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(migrations[i], migration) == 0)
            return true;
    return false;
}

/* Tests run in the project's directory. */
static void every_migration_is_a_file_that_can_be_run(void **state)
{
    size_t count;
    const char *const *migrations = catalog_migrations(&count);

    (void)state;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        char path[256];

        assert_int_equal(atoi(migrations[i]), (int)i + 1);
        snprintf(path, sizeof(path), "migrations/deploy/%s.sql", migrations[i]);
        assert_int_equal(access(path, R_OK), 0);
    }
}

static void no_migration_of_the_plan_is_unknown(void **state)
{
    FILE *plan = fopen("migrations/sqitch.plan", "r");
    char line[1024];
    size_t seen = 0;
    size_t count;

    (void)state;
    catalog_migrations(&count);
    assert_non_null(plan);
    while (fgets(line, sizeof(line), plan) != NULL) {
        line[strcspn(line, " \n")] = '\0';
        if (line[0] < '0' || line[0] > '9')
            continue;
        assert_true(is_known(line));
        seen++;
    }
    fclose(plan);
    assert_int_equal(seen, count);
}

static void every_table_has_its_migration(void **state)
{
    static const char *const tables[] = {
        "customers",       "contact_mediums", "subscriptions", "subscription_characteristics",
        "engaged_parties", "dead_letters",    "queues",        "schema_version",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        assert_non_null(catalog_migration_of(tables[i], NULL));
        assert_true(is_known(catalog_migration_of(tables[i], NULL)));
        assert_string_equal(catalog_migration_of(tables[i], "name"),
                            catalog_migration_of(tables[i], NULL));
    }
    assert_null(catalog_migration_of("invoices", NULL));
}

static void releases_are_compared_as_numbers(void **state)
{
    (void)state;
    assert_int_equal(catalog_compare_versions("0.1.0", "0.1.0"), 0);
    assert_int_equal(catalog_compare_versions("0.9", "0.10"), -1);
    assert_int_equal(catalog_compare_versions("1", "0.10"), 1);
    assert_int_equal(catalog_compare_versions("1.0.0", "1"), 0);
    assert_int_equal(catalog_compare_versions("1", "1.0.1"), -1);
    assert_int_equal(catalog_compare_versions("2.1-rc1", "2.1"), 0);
    assert_int_equal(catalog_compare_versions("", ""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_migration_is_a_file_that_can_be_run),
        cmocka_unit_test(no_migration_of_the_plan_is_unknown),
        cmocka_unit_test(every_table_has_its_migration),
        cmocka_unit_test(releases_are_compared_as_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
