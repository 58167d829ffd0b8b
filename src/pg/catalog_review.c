#include "pg/catalog_review.h"

#include "base/nearest.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/*
 * A review goes on after a problem, so that a DBA gets the whole list at once and not one line a
 * run. Every problem ends with a command or a file: its reader is called at night, and knows the
 * database but not kopru.
 */

enum {
    OBJECT_MAX_BYTES = 200,
    NAMES_MAX = 1600, /* as many columns as a table can have */
};

void review_problem(struct review *review, const struct error *err)
{
    review->result = -1;
    error_list_add(review->report->problems, err);
}

void review_warning(struct review *review, const struct error *err)
{
    if (review->report->warnings != NULL)
        error_list_add(review->report->warnings, err);
}

static const char *object_name(char *out, const char *table, const char *column)
{
    snprintf(out, OBJECT_MAX_BYTES, "%s.%s%s%s", ENTITY_SCHEMA, table, column != NULL ? "." : "",
             column != NULL ? column : "");
    return out;
}

/* Hints at the migration that adds the object and how to run it, or that somebody has to write
   one. */
static void hint_migration(const struct review *review, struct error *err, const char *table,
                           const char *column)
{
    const char *migration = catalog_migration_of(table, column);

    if (migration == NULL)
        error_hint(err, "no migration of this kopru brings it: write a script of the site "
                        "(migrations/README.md, Changes of the site), or correct the entity file");
    else if (catalog_knows_versions(review->catalog) &&
             catalog_is_applied(review->catalog, migration))
        error_hint(err,
                   "migration %s is applied: what it made, put back as it stands in "
                   "migrations/deploy/%s.sql (docs/operations.md, A column that was put back); "
                   "what you added to the entity file needs a script of the site "
                   "(migrations/README.md, Changes of the site)",
                   migration, migration);
    else
        error_hint(err, "migration %s brings it (migrations/deploy/%s.sql): run " REVIEW_APPLY,
                   migration, migration);
}

static bool is_wanted(const struct wanted_table *table, const char *column)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, column) == 0)
            return true;
    return false;
}

/* Returns the column of the table that was probably meant, one that nothing feeds, or NULL. */
static const char *near_column(const struct review *review, const struct wanted_table *table,
                               const char *missing)
{
    const char *names[NAMES_MAX + 1];
    struct catalog_column found;
    const char *name;
    size_t count = 0;

    for (size_t n = 0;
         count < NAMES_MAX &&
         (name = catalog_next_column(review->catalog, table->name, n, &found)) != NULL;
         n++)
        if (!is_wanted(table, name))
            names[count++] = name;
    names[count] = NULL;
    return nearest_name(missing, names);
}

static const char *near_table(const struct review *review, const char *missing)
{
    const char *names[NAMES_MAX + 1];
    size_t count = 0;

    while (count < NAMES_MAX && (names[count] = catalog_next_table(review->catalog, count)) != NULL)
        count++;
    names[count] = NULL;
    return nearest_name(missing, names);
}

/* Puts a name that is nearly right before the hint. */
static void hint_near(struct error *err, const char *near)
{
    char hint[sizeof(err->hint)];

    if (near == NULL)
        return;
    snprintf(hint, sizeof(hint), "%s", err->hint);
    error_hint(err, "did you mean %s? If not: %s", near, hint);
}

static void check_column(struct review *review, const struct wanted_table *table,
                         const struct wanted_column *wanted)
{
    struct catalog_column found;
    char object[OBJECT_MAX_BYTES];
    struct error err;

    object_name(object, table->name, wanted->name);
    if (!catalog_find_column(review->catalog, table->name, wanted->name, &found)) {
        error_set(&err, ERROR_PROBLEMS, "missing column", object, "the table does not have it");
        hint_migration(review, &err, table->name, wanted->name);
        hint_near(&err, near_column(review, table, wanted->name));
        review_problem(review, &err);
        return;
    }
    if (strcmp(found.type, wanted->type) != 0) {
        error_set(&err, ERROR_PROBLEMS, "wrong type of column", object, "it is %s, but must be %s",
                  found.type, wanted->type);
        hint_migration(review, &err, table->name, wanted->name);
        review_problem(review, &err);
    }
    if (found.is_generated && !wanted->is_never_written) {
        error_set(&err, ERROR_PROBLEMS, "column cannot be written", object,
                  "its value is generated");
        error_hint(&err, "make it a plain column, or take it out of the entity file");
        review_problem(review, &err);
    }
    if (found.not_null && !wanted->never_null) {
        error_set(&err, ERROR_PROBLEMS, "column must not be NOT NULL", object,
                  "a message may leave it null");
        error_hint(&err, "run, as kopru_owner: ALTER TABLE %s.%s ALTER COLUMN %s DROP NOT NULL",
                   ENTITY_SCHEMA, table->name, wanted->name);
        review_problem(review, &err);
    }
}

/* Columns that are not kopru's are welcome as long as they fill themselves. */
static void check_other_columns(struct review *review, const struct wanted_table *table)
{
    struct catalog_column found;
    const char *name;

    for (size_t n = 0;
         (name = catalog_next_column(review->catalog, table->name, n, &found)) != NULL; n++) {
        char object[OBJECT_MAX_BYTES];
        struct error err;

        if (!found.not_null || found.has_default || is_wanted(table, name))
            continue;
        error_set(&err, ERROR_PROBLEMS, "column that nothing fills",
                  object_name(object, table->name, name),
                  "it is NOT NULL without a default, and kopru does not write it");
        error_hint(&err,
                   "give it a default, drop its NOT NULL, or feed it by a line in the entity file");
        review_problem(review, &err);
    }
}

static void check_key(struct review *review, const struct wanted_table *table)
{
    char object[OBJECT_MAX_BYTES];
    char columns[256] = "";
    struct error err;

    if (table->key_count == 0 || catalog_has_unique(review->catalog, table->name, table->key,
                                                    table->key_count, table->predicate))
        return;
    for (size_t i = 0; i < table->key_count; i++)
        text_append(columns, sizeof(columns), "%s%s", i > 0 ? ", " : "", table->key[i]);
    error_set(&err, ERROR_PROBLEMS, "missing unique key", object_name(object, table->name, NULL),
              "ON CONFLICT needs a valid unique index on exactly (%s)%s%s", columns,
              table->predicate[0] != '\0' ? " WHERE " : "", table->predicate);
    hint_migration(review, &err, table->name, NULL);
    review_problem(review, &err);
}

static const char *privilege_name(char initial)
{
    switch (initial) {
    case 'S':
        return "SELECT";
    case 'I':
        return "INSERT";
    case 'U':
        return "UPDATE";
    default:
        return "DELETE";
    }
}

static void check_privileges(struct review *review, const struct wanted_table *table,
                             const char *granted)
{
    const char *user = catalog_server_fact(review->catalog, SERVER_USER);
    char missing[64] = "";
    char object[OBJECT_MAX_BYTES];
    struct error err;

    for (const char *initial = table->privileges; *initial != '\0'; initial++) {
        if (strchr(granted, *initial) == NULL)
            text_append(missing, sizeof(missing), "%s%s", missing[0] != '\0' ? ", " : "",
                        privilege_name(*initial));
    }
    if (missing[0] == '\0')
        return;
    error_set(&err, ERROR_PERMISSION, "missing privilege", object_name(object, table->name, NULL),
              "user %s lacks %s", user, missing);
    if (catalog_migration_of(table->name, NULL) != NULL)
        error_hint(
            &err,
            "migration 06-grants gives it to kopru_writer (migrations/deploy/06-grants.sql); "
            "run, as a superuser: GRANT kopru_writer TO %s; or, if it is a member already, "
            "as kopru_owner: GRANT %s ON %s TO kopru_writer",
            user, missing, object);
    else
        error_hint(&err,
                   "the table is this site's, so the migration that made it has to grant as well "
                   "(migrations/README.md); run, as kopru_owner: GRANT %s ON %s TO kopru_writer",
                   missing, object);
    review_problem(review, &err);
}

void review_table(struct review *review, const struct wanted_table *wanted)
{
    struct catalog_table found;
    char object[OBJECT_MAX_BYTES];
    struct error err;

    object_name(object, wanted->name, NULL);
    if (!catalog_find_table(review->catalog, wanted->name, &found)) {
        error_set(&err, ERROR_PROBLEMS, "missing table", object, "the schema does not have it");
        hint_migration(review, &err, wanted->name, NULL);
        hint_near(&err, near_table(review, wanted->name));
        review_problem(review, &err);
        return;
    }
    if (strcmp(found.kind, "r") != 0 && strcmp(found.kind, "p") != 0) {
        error_set(&err, ERROR_PROBLEMS, "not a table", object,
                  "kopru needs a table, and this is a view or a foreign table");
        hint_migration(review, &err, wanted->name, NULL);
        review_problem(review, &err);
        return;
    }
    for (size_t i = 0; i < wanted->column_count; i++)
        check_column(review, wanted, &wanted->columns[i]);
    check_other_columns(review, wanted);
    check_key(review, wanted);
    check_privileges(review, wanted, found.privileges);
    if (strchr(wanted->privileges, 'I') != NULL)
        review_foreign(review, wanted);
}
