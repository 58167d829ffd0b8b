#include "pg/catalog.h"

#include <stdlib.h>
#include <string.h>

static const char *const MIGRATIONS[] = {
    "01-schema", "02-customers", "03-subscriptions", "04-dead-letters", "05-queues", "06-grants",
};

/* What a migration brings; a column only where it came later than its table. */
static const struct {
    const char *table;
    const char *column; /* NULL: the table with all columns not listed */
    const char *migration;
} ORIGINS[] = {
    { "schema_version", NULL, "01-schema" },
    { "customers", NULL, "02-customers" },
    { "contact_mediums", NULL, "02-customers" },
    { "subscriptions", NULL, "03-subscriptions" },
    { "subscription_characteristics", NULL, "03-subscriptions" },
    { "engaged_parties", NULL, "03-subscriptions" },
    { "dead_letters", NULL, "04-dead-letters" },
    { "queues", NULL, "05-queues" },
};

const char *const *catalog_migrations(size_t *count)
{
    *count = sizeof(MIGRATIONS) / sizeof(MIGRATIONS[0]);
    return MIGRATIONS;
}

const char *catalog_migration_of(const char *table, const char *column)
{
    const char *of_table = NULL;

    for (size_t i = 0; i < sizeof(ORIGINS) / sizeof(ORIGINS[0]); i++) {
        if (strcmp(ORIGINS[i].table, table) != 0)
            continue;
        if (ORIGINS[i].column == NULL)
            of_table = ORIGINS[i].migration;
        else if (column != NULL && strcmp(ORIGINS[i].column, column) == 0)
            return ORIGINS[i].migration;
    }
    return of_table;
}

int catalog_compare_versions(const char *a, const char *b)
{
    for (;;) {
        char *a_end;
        char *b_end;
        unsigned long left = strtoul(a, &a_end, 10);
        unsigned long right = strtoul(b, &b_end, 10);

        if (left != right)
            return left < right ? -1 : 1;
        if (*a_end != '.' && *b_end != '.')
            return 0;
        a = *a_end == '.' ? a_end + 1 : a_end;
        b = *b_end == '.' ? b_end + 1 : b_end;
    }
}
