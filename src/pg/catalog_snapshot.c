#include "pg/catalog_snapshot.h"

#include <stdlib.h>
#include <string.h>

/*
 * Lookups go through all rows. There are a few hundred columns and a check asks once for each, at
 * start and in `kopru check`; an index over them would cost more to read than it saves.
 */

enum { TABLE_NAME, TABLE_KIND, TABLE_PRIVILEGES, TABLE_IS_PARTITION };
enum { COLUMN_TABLE, COLUMN_NAME, COLUMN_TYPE, COLUMN_FLAGS };
enum { UNIQUE_TABLE, UNIQUE_COLUMNS, UNIQUE_PREDICATE };
enum { FOREIGN_TABLE, FOREIGN_KIND, FOREIGN_WHAT };
enum { VERSION_NUMBER, VERSION_NAME, VERSION_DEMAND };

/* libpq ends cells in binary form with a NUL byte, too; null is "". */
static const char *cell(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column);
}

const char *catalog_server_fact(const struct catalog *catalog, enum server_fact fact)
{
    return cell(catalog->parts[CATALOG_SERVER].result, 0, (int)fact);
}

bool catalog_find_table(const struct catalog *catalog, const char *name,
                        struct catalog_table *table)
{
    const PGresult *rows = catalog->parts[CATALOG_TABLES].result;

    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(cell(rows, row, TABLE_NAME), name) != 0)
            continue;
        *table = (struct catalog_table){ cell(rows, row, TABLE_KIND),
                                         cell(rows, row, TABLE_PRIVILEGES) };
        return true;
    }
    return false;
}

const char *catalog_next_table(const struct catalog *catalog, size_t n)
{
    const PGresult *rows = catalog->parts[CATALOG_TABLES].result;

    for (int row = 0; row < PQntuples(rows); row++)
        if (cell(rows, row, TABLE_IS_PARTITION)[0] == 0 && n-- == 0)
            return cell(rows, row, TABLE_NAME);
    return NULL;
}

static void read_column(const PGresult *rows, int row, struct catalog_column *column)
{
    const char *flags = cell(rows, row, COLUMN_FLAGS);

    column->type = cell(rows, row, COLUMN_TYPE);
    column->not_null = strchr(flags, 'N') != NULL;
    column->has_default = strchr(flags, 'D') != NULL;
    column->is_generated = strchr(flags, 'G') != NULL;
}

bool catalog_find_column(const struct catalog *catalog, const char *table, const char *name,
                         struct catalog_column *column)
{
    const PGresult *rows = catalog->parts[CATALOG_COLUMNS].result;

    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(cell(rows, row, COLUMN_TABLE), table) == 0 &&
            strcmp(cell(rows, row, COLUMN_NAME), name) == 0) {
            read_column(rows, row, column);
            return true;
        }
    }
    return false;
}

const char *catalog_next_column(const struct catalog *catalog, const char *table, size_t n,
                                struct catalog_column *column)
{
    const PGresult *rows = catalog->parts[CATALOG_COLUMNS].result;

    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(cell(rows, row, COLUMN_TABLE), table) == 0 && n-- == 0) {
            read_column(rows, row, column);
            return cell(rows, row, COLUMN_NAME);
        }
    }
    return NULL;
}

/* Whether name is one of the elements of "a,b,c". */
static bool list_holds(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; at != NULL;
         at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

static bool list_is_set(const char *list, const char *const *names, size_t count)
{
    size_t elements = 1;

    for (const char *at = list; *at != '\0'; at++)
        elements += *at == ',';
    if (elements != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!list_holds(list, names[i]))
            return false;
    return true;
}

bool catalog_has_unique(const struct catalog *catalog, const char *table,
                        const char *const *columns, size_t count, const char *predicate)
{
    const PGresult *rows = catalog->parts[CATALOG_UNIQUE].result;

    for (int row = 0; row < PQntuples(rows); row++)
        if (strcmp(cell(rows, row, UNIQUE_TABLE), table) == 0 &&
            strcmp(cell(rows, row, UNIQUE_PREDICATE), predicate) == 0 &&
            list_is_set(cell(rows, row, UNIQUE_COLUMNS), columns, count))
            return true;
    return false;
}

bool catalog_next_foreign(const struct catalog *catalog, const char *table, size_t n,
                          struct catalog_foreign *foreign)
{
    const PGresult *rows = catalog->parts[CATALOG_FOREIGN].result;

    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(cell(rows, row, FOREIGN_TABLE), table) != 0 || n-- > 0)
            continue;
        foreign->kind = (unsigned char)*cell(rows, row, FOREIGN_KIND);
        foreign->what = cell(rows, row, FOREIGN_WHAT);
        return true;
    }
    return false;
}

bool catalog_knows_versions(const struct catalog *catalog)
{
    return catalog->versions.result != NULL;
}

const char *catalog_applied(const struct catalog *catalog, size_t n, int *version)
{
    const PGresult *rows = catalog->versions.result;

    if (n >= (size_t)PQntuples(rows))
        return NULL;
    *version = atoi(cell(rows, (int)n, VERSION_NUMBER));
    return cell(rows, (int)n, VERSION_NAME);
}

bool catalog_is_applied(const struct catalog *catalog, const char *migration)
{
    const char *name;
    int version;

    for (size_t n = 0; (name = catalog_applied(catalog, n, &version)) != NULL; n++)
        if (version == atoi(migration) && strcmp(name, migration) == 0)
            return true;
    return false;
}

bool catalog_newest_demand(const struct catalog *catalog, const char **migration,
                           const char **release)
{
    const PGresult *rows = catalog->versions.result;
    bool found = false;

    for (int row = 0; row < PQntuples(rows); row++) {
        const char *demand = cell(rows, row, VERSION_DEMAND);

        if (found && catalog_compare_versions(demand, *release) <= 0)
            continue;
        *migration = cell(rows, row, VERSION_NAME);
        *release = demand;
        found = true;
    }
    return found;
}
