#include "pg/binary.h"
#include "pg/catalog_snapshot.h"
#include "pg/round_trip.h"
#include "pg/session_settings.h"
#include "pg/transaction.h"

#include <stdlib.h>
#include <string.h>

/*
 * The catalog is read as rows of text and compared in this process, although a query for each
 * question would be shorter to write. But a question about an object that is missing is an error in
 * SQL, and an error says nothing about the other objects. One snapshot answers all questions at
 * once, so that `kopru check` names everything that is missing and not only what it meets first.
 * The transaction takes more than one round trip, like those that follow, so a pooler that allows
 * none of these is found out here. Everything is cast to text, so that a cell in binary form is a
 * string. Names are looked up by value and not with to_regclass() and the like, which fail where
 * the user may not use the schema.
 */

/* Until the transaction ends. A role may have a statement_timeout of its own that is too short for
   what follows, and from PostgreSQL 17 on a transaction_timeout; and with other settings the server
   quotes the names of types, or names their schema, and they would differ from what kopru
   expects. */
static const struct pg_statement SET_UP = {
    .sql = "SELECT"
           " pg_catalog.set_config('statement_timeout', $1, true),"
           " pg_catalog.set_config('lock_timeout', $2, true),"
           " CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL"
           " THEN pg_catalog.set_config('transaction_timeout', '0', true) END,"
           " pg_catalog.set_config('quote_all_identifiers', 'off', true),"
           " pg_catalog.set_config('search_path', 'pg_catalog', true)",
    .param_count = 2,
    .param_types = (const Oid[]){ TEXT_OID, TEXT_OID },
};

/* One row, with the columns of enum server_fact. The CASE is for plans that ask about privileges
   first: has_sequence_privilege() fails for what is no sequence. */
static const struct pg_statement READ_SERVER = {
    .sql = "SELECT"
           " pg_catalog.current_setting('server_version_num'),"
           " pg_catalog.current_setting('server_version'),"
           " pg_catalog.current_setting('server_encoding'),"
           " pg_catalog.current_setting('client_encoding'),"
           " pg_catalog.pg_is_in_recovery()::text,"
           " pg_catalog.current_setting('fsync'),"
           " pg_catalog.current_setting('synchronous_commit'),"
           " pg_catalog.current_setting('synchronous_standby_names'),"
           " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication)::text,"
           " pg_catalog.current_database()::text,"
           " current_user::text,"
           " (SELECT CASE WHEN pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
           " THEN 'usage' ELSE 'no usage' END"
           " FROM pg_catalog.pg_namespace AS n"
           " WHERE n.nspname = '" ENTITY_SCHEMA "'),"
           " (SELECT 'readable' FROM pg_catalog.pg_class AS c"
           " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
           " WHERE n.nspname = '" ENTITY_SCHEMA "' AND c.relkind = 'S'"
           " AND c.relname = 'dead_letters_dead_letter_id_seq'"
           " AND CASE WHEN c.relkind = 'S'"
           " THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') END)",
};

/* Views and foreign tables are read, too, so that the report can say that a name is not that of a
   table. */
static const struct pg_statement READ_TABLES = {
    .sql = "SELECT"
           " c.relname::text,"
           " c.relkind::text,"
           " pg_catalog.concat("
           "CASE WHEN pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'S' END,"
           " CASE WHEN pg_catalog.has_table_privilege(c.oid, 'INSERT') THEN 'I' END,"
           " CASE WHEN pg_catalog.has_table_privilege(c.oid, 'UPDATE') THEN 'U' END,"
           " CASE WHEN pg_catalog.has_table_privilege(c.oid, 'DELETE') THEN 'D' END),"
           " CASE WHEN c.relispartition THEN 'P' END\n"
           "FROM pg_catalog.pg_class AS c"
           " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace\n"
           "WHERE n.nspname = '" ENTITY_SCHEMA "'"
           " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
};

static const struct pg_statement READ_COLUMNS = {
    .sql = "SELECT"
           " c.relname::text,"
           " a.attname::text,"
           " pg_catalog.format_type(a.atttypid, a.atttypmod),"
           " pg_catalog.concat("
           "CASE WHEN a.attnotnull THEN 'N' END,"
           " CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 'D' END,"
           " CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 'G' END)\n"
           "FROM pg_catalog.pg_class AS c"
           " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace\n"
           "JOIN pg_catalog.pg_attribute AS a"
           " ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped\n"
           "WHERE n.nspname = '" ENTITY_SCHEMA "'"
           " AND c.relkind IN ('r', 'p')"
           " ORDER BY c.relname, a.attnum",
};

/* The unique indexes that ON CONFLICT can infer: not deferrable, and without expressions. Of their
   columns only the key, not those of INCLUDE. */
static const struct pg_statement READ_UNIQUE = {
    .sql = "SELECT"
           " c.relname::text,"
           " (SELECT pg_catalog.string_agg("
           "a.attname::text, ',' ORDER BY a.attname::text COLLATE \"C\")"
           " FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)"
           " JOIN pg_catalog.pg_attribute AS a"
           " ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
           " WHERE k.place <= i.indnkeyatts),"
           " coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), '')\n"
           "FROM pg_catalog.pg_class AS c"
           " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace\n"
           "JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid\n"
           "WHERE n.nspname = '" ENTITY_SCHEMA "'"
           " AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indexprs IS NULL",
};

/* What may swallow, change or hide a row of a table, also on a partition of it. PostgreSQL copies a
   trigger of the table to each partition: the copy counts where the table's own is disabled. The
   first column after the table's name is a letter of struct catalog_foreign. A policy that lets the
   user do everything to every row hides nothing, unless a restrictive one stands beside it. */
static const struct pg_statement READ_FOREIGN = {
    .sql = "WITH mine AS (SELECT c.oid, c.relname::text AS relname FROM pg_catalog.pg_class AS c"
           " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
           " WHERE n.nspname = '" ENTITY_SCHEMA "' AND c.relkind IN ('r', 'p')),\n"
           "part AS (SELECT oid, relname, '' AS place FROM mine"
           " UNION SELECT p.relid, m.relname, CASE WHEN p.relid <> m.oid"
           " THEN ' on partition ' || c.relname ELSE '' END FROM mine AS m,"
           " LATERAL pg_catalog.pg_partition_tree(m.oid) AS p"
           " JOIN pg_catalog.pg_class AS c ON c.oid = p.relid),\n"
           "policy AS (SELECT m.relname, p.polname, p.polcmd, p.polpermissive,"
           " p.polcmd = '*' AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'"
           " AND coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true'"
           " AS is_open FROM mine AS m"
           " JOIN pg_catalog.pg_policy AS p ON p.polrelid = m.oid"
           " WHERE EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS r"
           " WHERE r = 0 OR pg_catalog.pg_has_role(r, 'USAGE')))\n"
           "SELECT part.relname, 't', pg_catalog.concat('trigger ', t.tgname, part.place, ' (',"
           " CASE WHEN t.tgtype & 2 <> 0 THEN 'BEFORE ' ELSE 'AFTER ' END,"
           " pg_catalog.concat_ws(' OR ', CASE WHEN t.tgtype & 4 <> 0 THEN 'INSERT' END,"
           " CASE WHEN t.tgtype & 16 <> 0 THEN 'UPDATE' END,"
           " CASE WHEN t.tgtype & 8 <> 0 THEN 'DELETE' END),"
           " ', function ', n.nspname, '.', f.proname, ')')\n"
           "FROM part JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = part.oid"
           " LEFT JOIN pg_catalog.pg_trigger AS above ON above.oid = t.tgparentid"
           " JOIN pg_catalog.pg_proc AS f ON f.oid = t.tgfoid"
           " JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace\n"
           "WHERE NOT coalesce(above.tgisinternal, t.tgisinternal) AND t.tgenabled <> 'D'"
           " AND (above.oid IS NULL OR above.tgenabled = 'D')"
           " AND t.tgtype & 28 <> 0\n"
           "UNION ALL SELECT mine.relname, CASE r.ev_type WHEN '4' THEN 'r' ELSE 'b' END,"
           " pg_catalog.concat('rule ', r.rulename, ' (ON ',"
           " CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE' END, ')')\n"
           "FROM mine JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = mine.oid\n"
           "WHERE r.ev_enabled <> 'D' AND r.ev_type IN ('2', '3', '4')\n"
           "UNION ALL SELECT p.relname, 'p', 'policy ' || p.polname FROM policy AS p"
           " JOIN mine ON mine.relname = p.relname AND pg_catalog.row_security_active(mine.oid)\n"
           "WHERE NOT p.is_open AND (NOT p.polpermissive OR NOT EXISTS"
           " (SELECT FROM policy AS o WHERE o.relname = p.relname AND o.polpermissive AND "
           "o.is_open))\n"
           "UNION ALL SELECT mine.relname, 'n', '' FROM mine\n"
           "WHERE pg_catalog.row_security_active(mine.oid) AND NOT EXISTS"
           " (SELECT FROM policy AS p WHERE p.relname = mine.relname AND p.polpermissive"
           " AND p.polcmd IN ('*', 'r'))\n"
           "ORDER BY 1, 2, 3",
};

static const struct pg_statement READ_VERSIONS = {
    .sql = "SELECT version::text, name, min_kopru_version"
           " FROM " ENTITY_SCHEMA ".schema_version"
           " ORDER BY version",
};

/* A refused statement would look as if the server could not be asked, so what this one reads must
   be known to be there. */
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

/* Returns -1 when the server could not be asked. */
static int read_all(struct catalog *catalog, struct pg_conn *conn, struct pg_failure *failure)
{
    if (pg_conn_round_trip(conn, catalog->parts, CATALOG_PARTS, failure) != 0 ||
        (may_read_versions(catalog) &&
         pg_conn_round_trip(conn, &catalog->versions, 1, failure) != 0)) {
        if (!failure->connection_lost && pg_conn_rollback(conn) != 0)
            failure->connection_lost = true;
        return -1;
    }
    return pg_conn_commit(conn, failure);
}

int catalog_load(struct catalog **out, struct pg_conn *conn, struct pg_failure *failure)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    *out = NULL;
    if (catalog == NULL) {
        *failure = (struct pg_failure){ .class = SQLSTATE_RETRY };
        return error_no_memory(&failure->error);
    }
    catalog->parts[CATALOG_BEGIN].statement = &PG_BEGIN;
    catalog->parts[CATALOG_SETTINGS].statement = &SET_UP;
    catalog->parts[CATALOG_SETTINGS].params = pg_conn_settings(conn);
    catalog->parts[CATALOG_SERVER].statement = &READ_SERVER;
    catalog->parts[CATALOG_TABLES].statement = &READ_TABLES;
    catalog->parts[CATALOG_COLUMNS].statement = &READ_COLUMNS;
    catalog->parts[CATALOG_UNIQUE].statement = &READ_UNIQUE;
    catalog->parts[CATALOG_FOREIGN].statement = &READ_FOREIGN;
    catalog->versions.statement = &READ_VERSIONS;
    if (read_all(catalog, conn, failure) != 0) {
        catalog_free(catalog);
        return -1;
    }
    *out = catalog;
    return 0;
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    pg_calls_clear(catalog->parts, CATALOG_PARTS);
    pg_calls_clear(&catalog->versions, 1);
    free(catalog);
}
