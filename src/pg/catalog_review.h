/*
 * Compares one table with what the writer needs. For the catalog files only; all others use
 * catalog.h.
 */
#ifndef KOPRU_PG_CATALOG_REVIEW_H
#define KOPRU_PG_CATALOG_REVIEW_H

#include "pg/catalog_snapshot.h"

/* One check in progress. */
struct review {
    const struct catalog *catalog;
    const struct catalog_report *report;
    int result; /* -1 from the first problem on */
};

struct wanted_column {
    const char *name;
    const char *type;      /* as format_type() prints it */
    bool never_null;       /* the writer always has a value for it, or leaves it to its default */
    bool is_never_written; /* a generated value will do */
};

/* A table as the writer needs it. */
struct wanted_table {
    const char *name;
    const struct wanted_column *columns;
    size_t column_count;
    const char *const *key; /* columns of a unique index, in any order */
    size_t key_count;       /* 0: none is needed */
    const char *predicate;  /* of that index, "" for none */
    const char *privileges; /* as in struct catalog_table */
};

/* Compares the table with the catalog and adds what is wrong with it to the report. */
void review_table(struct review *review, const struct wanted_table *wanted);

/* Reports what the site has put on the table: triggers, rules, row-level security. */
void review_foreign(struct review *review, const struct wanted_table *table);

/* Add to the report, as memory allows; a problem also sets review->result. */
void review_problem(struct review *review, const struct error *err);
void review_warning(struct review *review, const struct error *err);

/* How a DBA applies the migrations that are missing. */
#define REVIEW_APPLY                                                                               \
    "PGOPTIONS='-c role=kopru_owner' psql -f migrations/install.sql (or sqitch deploy)"

#endif
