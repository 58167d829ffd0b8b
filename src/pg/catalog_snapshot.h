/*
 * The parts of the database's catalog that kopru looks at, as catalog_load() has read them. For the
 * catalog files only; all others use catalog.h.
 *
 * Lookups fail only by not finding. The strings they give live as long as the catalog.
 */
#ifndef KOPRU_PG_CATALOG_SNAPSHOT_H
#define KOPRU_PG_CATALOG_SNAPSHOT_H

#include "pg/call.h"
#include "pg/catalog.h"

#include <stdbool.h>

enum {
    CATALOG_BEGIN,
    CATALOG_SETTINGS, /* limits, and how the parts that follow are spelt */
    CATALOG_SERVER,
    CATALOG_TABLES,
    CATALOG_COLUMNS,
    CATALOG_UNIQUE,
    CATALOG_FOREIGN,
    CATALOG_PARTS
};

struct catalog {
    struct pg_call parts[CATALOG_PARTS]; /* each with its result */
    struct pg_call versions;             /* result NULL: schema_version could not be read */
};

/* Columns of the single row about the server. */
enum server_fact {
    SERVER_VERSION_NUMBER,
    SERVER_VERSION_TEXT,
    SERVER_ENCODING,
    SERVER_CLIENT_ENCODING,
    SERVER_IN_RECOVERY, /* "true": a standby */
    SERVER_FSYNC,
    SERVER_SYNCHRONOUS_COMMIT,
    SERVER_STANDBY_NAMES,
    SERVER_REPLICATION_CLIENTS, /* a number */
    SERVER_DATABASE,
    SERVER_USER,
    SERVER_SCHEMA,          /* "usage", "no usage"; "" if there is no schema kopru */
    SERVER_DEAD_LETTER_IDS, /* "readable", or "": the sequence behind dead_letter_id */
};

struct catalog_table {
    const char *kind;       /* pg_class.relkind */
    const char *privileges; /* the initials of those the user has: "SIUD" for SELECT, INSERT, UPDATE
                               and DELETE */
};

struct catalog_column {
    const char *type; /* as format_type() prints it */
    bool not_null;
    bool has_default;  /* or is an identity */
    bool is_generated; /* a value given by the writer is refused */
};

/* Something of the site's on a table, which may swallow, change or hide rows. */
struct catalog_foreign {
    enum {
        FOREIGN_TRIGGER = 't',
        FOREIGN_RULE = 'r',
        FOREIGN_BLOCKING_RULE = 'b', /* for INSERT or UPDATE: the table takes no ON CONFLICT */
        FOREIGN_POLICY = 'p',        /* that applies to the user, and may hide a row */
        FOREIGN_NO_POLICY = 'n',     /* row-level security, and no policy lets the user read */
    } kind;
    const char *what; /* "trigger x (BEFORE INSERT, function public.f)" */
};

const char *catalog_server_fact(const struct catalog *catalog, enum server_fact fact);

/* Returns false if schema kopru has no table of that name. */
bool catalog_find_table(const struct catalog *catalog, const char *name,
                        struct catalog_table *table);

/* Returns the name of the nth table that is no partition, NULL after the last one. */
const char *catalog_next_table(const struct catalog *catalog, size_t n);

bool catalog_find_column(const struct catalog *catalog, const char *table, const char *name,
                         struct catalog_column *column);

/* Returns the name of the nth column of a table and describes it. Returns NULL after the last
   one. */
const char *catalog_next_column(const struct catalog *catalog, const char *table, size_t n,
                                struct catalog_column *column);

/* Whether a unique index that ON CONFLICT can use covers exactly these columns, in any order, with
   that predicate ("" for none). */
bool catalog_has_unique(const struct catalog *catalog, const char *table,
                        const char *const *columns, size_t count, const char *predicate);

/* Describes the nth thing of the site's that is on a table. Returns false after the last one. */
bool catalog_next_foreign(const struct catalog *catalog, const char *table, size_t n,
                          struct catalog_foreign *foreign);

/* True if schema_version could be read. */
bool catalog_knows_versions(const struct catalog *catalog);

/* Returns the name of the nth row of schema_version, by number, and sets its number. Returns NULL
   after the last one. */
const char *catalog_applied(const struct catalog *catalog, size_t n, int *version);

/* Whether schema_version has that migration, under its number and its name. */
bool catalog_is_applied(const struct catalog *catalog, const char *migration);

/* The applied migration that asks for the newest kopru: its name and the release it asks for. False
   if none is known. */
bool catalog_newest_demand(const struct catalog *catalog, const char **migration,
                           const char **release);

#endif
