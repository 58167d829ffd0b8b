/*
 * What the database has, compared with what kopru needs: schema, tables, columns, keys, privileges,
 * migrations, settings. The catalog is read once, in two round trips; the checks ask no server.
 *
 *     if (catalog_load(&catalog, conn, &failure) != 0)
 *         ... the server could not be asked, which says nothing about the schema
 *     report = (struct catalog_report){ &problems, &warnings };
 *     catalog_check_server(catalog, "0.1.0", &report);
 *     catalog_check_entity(catalog, mapping_entity(mapping), &report);
 *     catalog_free(catalog);
 *
 * A problem is what makes kopru wait; a warning is what weakens a promise. Each names the object,
 * what is wrong with it, the migration that brings it, and what to run. Kinds: ERROR_CONFIG for the
 * schema's version, ERROR_PERMISSION for a privilege, ERROR_PROBLEMS for all else.
 */
#ifndef KOPRU_PG_CATALOG_H
#define KOPRU_PG_CATALOG_H

#include "base/error.h"
#include "model/entity.h"
#include "pg/conn.h"

struct catalog;

struct catalog_report {
    struct error_list *problems;
    struct error_list *warnings; /* NULL: not wanted */
};

/* Returns 0, or -1 with *failure filled and *out NULL. The connection is left outside any
   transaction, and may be closed before the catalog. Free the catalog. */
int catalog_load(struct catalog **out, struct pg_conn *conn, struct pg_failure *failure);

/* NULL is allowed. */
void catalog_free(struct catalog *catalog);

/* Checks the server, the migrations applied, and kopru's own tables (dead_letters, queues,
   schema_version). version is that of this kopru. Returns 0 if there is no problem, -1 if there is
   any; all of them are added to the report, as far as memory allows. */
int catalog_check_server(const struct catalog *catalog, const char *version,
                         const struct catalog_report *report);

/* Checks the tables of one entity: whether they, their columns, types, unique keys and privileges
   fit what the writer does. Returns 0 or -1 as catalog_check_server() does, which has named a
   missing schema: that is not named again here. */
int catalog_check_entity(const struct catalog *catalog, const struct entity *entity,
                         const struct catalog_report *report);

/* Compares the identity of the dead letters with their rows: one that is behind gives numbers that
   are there already, and then no dead letter can be written. Asks the server; what it cannot read
   it does not compare. Returns as catalog_check_server() does. */
int catalog_check_identity(const struct catalog *catalog, struct pg_conn *conn,
                           const struct catalog_report *report);

/* The names of the migrations that this kopru needs, oldest first; their numbers are 1 to count. */
const char *const *catalog_migrations(size_t *count);

/* Returns the migration that adds a table, or a column of that table (column NULL: the table
   itself), or NULL if none does. */
const char *catalog_migration_of(const char *table, const char *column);

/* Returns less than 0, 0 or more than 0 if release a is older than, equal to or newer than b:
   "0.9.1" is older than "0.10". What follows the numbers is ignored. */
int catalog_compare_versions(const char *a, const char *b);

#endif
