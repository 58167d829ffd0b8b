#include "pg/catalog_review.h"

#include <stdio.h>

/*
 * Triggers, rules and policies are a site's good right: most only write a protocol. So they are
 * warnings, which say what to look at. Only what surely keeps kopru from its work is a problem: a
 * rule that forbids ON CONFLICT, and row-level security without a policy that shows any row.
 */

enum { OBJECT_MAX_BYTES = 200 };

static void warn_of_trigger(struct review *review, const char *object,
                            const struct catalog_foreign *foreign)
{
    struct error err;

    error_set(&err, ERROR_PROBLEMS, "trigger that kopru did not make", object, "%s", foreign->what);
    error_hint(&err,
               "see that it neither drops a row nor changes its key: an entity whose rows do not "
               "arrive is quarantined and waits. Values that it changes are written again with "
               "every message");
    review_warning(review, &err);
}

static void warn_of_rule(struct review *review, const char *object,
                         const struct catalog_foreign *foreign)
{
    struct error err;

    error_set(&err, ERROR_PROBLEMS, "rule that kopru did not make", object, "%s", foreign->what);
    error_hint(&err,
               "see that it does not keep rows from being deleted: an entity whose old rows stay "
               "is quarantined and waits");
    review_warning(review, &err);
}

static void report_blocking_rule(struct review *review, const char *object,
                                 const struct catalog_foreign *foreign)
{
    struct error err;

    error_set(&err, ERROR_PROBLEMS, "rule that forbids ON CONFLICT", object, "%s", foreign->what);
    error_hint(&err, "drop the rule, or make a trigger of it: PostgreSQL allows no INSERT ... ON "
                     "CONFLICT on a table with rules for INSERT or UPDATE");
    review_problem(review, &err);
}

static void warn_of_policy(struct review *review, const char *object,
                           const struct catalog_foreign *foreign)
{
    struct error err;

    error_set(&err, ERROR_PROBLEMS, "row-level security", object, "%s", foreign->what);
    error_hint(&err, "see that it shows kopru every row and lets it write every row: a row that "
                     "is hidden from kopru is never replaced or deleted");
    review_warning(review, &err);
}

static void report_hidden(struct review *review, const char *object)
{
    struct error err;

    error_set(&err, ERROR_PERMISSION, "row-level security hides every row", object,
              "it is enabled, and no policy lets user %s read",
              catalog_server_fact(review->catalog, SERVER_USER));
    error_hint(&err,
               "run, as kopru_owner: CREATE POLICY kopru ON %s TO kopru_writer USING (true) "
               "WITH CHECK (true)",
               object);
    review_problem(review, &err);
}

void review_foreign(struct review *review, const struct wanted_table *table)
{
    struct catalog_foreign foreign;
    char object[OBJECT_MAX_BYTES];

    snprintf(object, sizeof(object), "%s.%s", ENTITY_SCHEMA, table->name);
    for (size_t n = 0; catalog_next_foreign(review->catalog, table->name, n, &foreign); n++) {
        switch (foreign.kind) {
        case FOREIGN_TRIGGER:
            warn_of_trigger(review, object, &foreign);
            break;
        case FOREIGN_RULE:
            warn_of_rule(review, object, &foreign);
            break;
        case FOREIGN_BLOCKING_RULE:
            report_blocking_rule(review, object, &foreign);
            break;
        case FOREIGN_POLICY:
            warn_of_policy(review, object, &foreign);
            break;
        case FOREIGN_NO_POLICY:
            report_hidden(review, object);
            break;
        }
    }
}
