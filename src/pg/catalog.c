#include "pg/catalog_snapshot.h"
#include "pg/round_trip.h"

#include <stdlib.h>
#include <string.h>

/* All of it is cast to text, so that a binary cell is a string. Names are looked up by value, not
   by to_regclass() and the like: those fail where the user may not use the schema. */
static const struct pg_statement READ_SERVER = {
    .sql = "SELECT pg_catalog.current_setting('server_version_num'), "
           "pg_catalog.current_setting('server_version'),"
           " pg_catalog.current_setting('server_encoding'), "
           "pg_catalog.current_setting('client_encoding'),"
           " pg_catalog.pg_is_in_recovery()::text, pg_catalog.current_setting('fsync'),"
           " pg_catalog.current_setting('synchronous_commit'), "
           "pg_catalog.current_setting('synchronous_standby_names'),"
           " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication)::text, "
           "pg_catalog.current_database()::text,"
           " current_user::text, (SELECT CASE WHEN pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
           "THEN 'usage' ELSE 'no usage' END"
           " FROM pg_catalog.pg_namespace AS n WHERE n.nspname = '" ENTITY_SCHEMA "')",
};

static const struct pg_statement READ_TABLES = {
    .sql =
        "SELECT c.relname::text, c.relkind::text,"
        " pg_catalog.concat(CASE WHEN pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'S' END,"
        " CASE WHEN pg_catalog.has_table_privilege(c.oid, 'INSERT') THEN 'I' END,"
        " CASE WHEN pg_catalog.has_table_privilege(c.oid, 'UPDATE') THEN 'U' END,"
        " CASE WHEN pg_catalog.has_table_privilege(c.oid, 'DELETE') THEN 'D' END)\n"
        "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = "
        "c.relnamespace\n"
        "WHERE n.nspname = '" ENTITY_SCHEMA "' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
};

static const struct pg_statement READ_COLUMNS = {
    .sql =
        "SELECT c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),"
        " pg_catalog.concat(CASE WHEN a.attnotnull THEN 'N' END,"
        " CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 'D' END,"
        " CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 'G' END)\n"
        "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = "
        "c.relnamespace\n"
        "JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT "
        "a.attisdropped\n"
        "WHERE n.nspname = '" ENTITY_SCHEMA
        "' AND c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum",
};

/* What ON CONFLICT can infer: not deferrable, no expressions. Key columns only, not those of
   INCLUDE. */
static const struct pg_statement READ_UNIQUE = {
    .sql = "SELECT c.relname::text, (SELECT pg_catalog.string_agg(a.attname::text, ',' ORDER BY "
           "a.attname::text COLLATE \"C\")"
           " FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)"
           " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
           " WHERE k.place <= i.indnkeyatts), coalesce(pg_catalog.pg_get_expr(i.indpred, "
           "i.indrelid), '')\n"
           "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = "
           "c.relnamespace\n"
           "JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid\n"
           "WHERE n.nspname = '" ENTITY_SCHEMA
           "' AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indexprs IS NULL",
};

static const struct pg_statement READ_VERSIONS = {
    .sql = "SELECT version::text, name, min_kopru_version FROM " ENTITY_SCHEMA
           ".schema_version ORDER BY version",
};

enum { SERVER, TABLES, COLUMNS, UNIQUE, PARTS };
enum { TABLE_NAME, TABLE_KIND, TABLE_PRIVILEGES };
enum { COLUMN_TABLE, COLUMN_NAME, COLUMN_TYPE, COLUMN_FLAGS };
enum { UNIQUE_TABLE, UNIQUE_COLUMNS, UNIQUE_PREDICATE };
enum { VERSION_NUMBER, VERSION_NAME, VERSION_DEMAND };

struct catalog {
    struct pg_call parts[PARTS];
    struct pg_call versions; /* result NULL: could not be read */
};

/* The table must be known to be readable: a refused statement would be taken for a failure to ask.
 */
static bool may_read_versions(const struct catalog *catalog)
{
    static const char *const columns[] = { "version", "name", "min_kopru_version" };
    struct catalog_table table;
    struct catalog_column column;

    if (strcmp(catalog_server_fact(catalog, SERVER_SCHEMA), "usage") != 0 ||
        !catalog_find_table(catalog, "schema_version", &table) ||
        strchr(table.privileges, 'S') == NULL)
        return false;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        if (!catalog_find_column(catalog, "schema_version", columns[i], &column))
            return false;
    return true;
}

int catalog_load(struct catalog **out, struct pg_conn *conn, struct pg_failure *failure)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    *out = NULL;
    if (catalog == NULL) {
        *failure = (struct pg_failure){ .class = SQLSTATE_RETRY };
        return error_no_memory(&failure->error);
    }
    catalog->parts[SERVER].statement = &READ_SERVER;
    catalog->parts[TABLES].statement = &READ_TABLES;
    catalog->parts[COLUMNS].statement = &READ_COLUMNS;
    catalog->parts[UNIQUE].statement = &READ_UNIQUE;
    catalog->versions.statement = &READ_VERSIONS;
    if (pg_conn_round_trip(conn, catalog->parts, PARTS, failure) != 0)
        goto failed;
    if (may_read_versions(catalog) && pg_conn_round_trip(conn, &catalog->versions, 1, failure) != 0)
        goto failed;
    *out = catalog;
    return 0;

failed:
    catalog_free(catalog);
    return -1;
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    pg_calls_clear(catalog->parts, PARTS);
    pg_calls_clear(&catalog->versions, 1);
    free(catalog);
}

static const char *cell(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row,
                      column); /* libpq ends binary cells with a NUL byte too; "" for null */
}

const char *catalog_server_fact(const struct catalog *catalog, enum server_fact fact)
{
    return cell(catalog->parts[SERVER].result, 0, (int)fact);
}

bool catalog_find_table(const struct catalog *catalog, const char *name,
                        struct catalog_table *table)
{
    const PGresult *rows = catalog->parts[TABLES].result;

    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(cell(rows, row, TABLE_NAME), name) != 0)
            continue;
        *table = (struct catalog_table){ cell(rows, row, TABLE_KIND),
                                         cell(rows, row, TABLE_PRIVILEGES) };
        return true;
    }
    return false;
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
    const PGresult *rows = catalog->parts[COLUMNS].result;

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
    const PGresult *rows = catalog->parts[COLUMNS].result;

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
    const PGresult *rows = catalog->parts[UNIQUE].result;

    for (int row = 0; row < PQntuples(rows); row++)
        if (strcmp(cell(rows, row, UNIQUE_TABLE), table) == 0 &&
            strcmp(cell(rows, row, UNIQUE_PREDICATE), predicate) == 0 &&
            list_is_set(cell(rows, row, UNIQUE_COLUMNS), columns, count))
            return true;
    return false;
}

bool catalog_knows_versions(const struct catalog *catalog)
{
    return catalog->versions.result != NULL;
}

bool catalog_is_applied(const struct catalog *catalog, int version)
{
    const PGresult *rows = catalog->versions.result;

    for (int row = 0; row < PQntuples(rows); row++)
        if (atoi(cell(rows, row, VERSION_NUMBER)) == version)
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
