#include "pg/catalog_review.h"
#include "pg/dead_letters.h"
#include "pg/round_trip.h"

#include <stdlib.h>
#include <string.h>

/*
 * A logical copy of a database (logical replication, a migration service) brings the rows of a
 * table and not the state of its sequences. Every other table of kopru has keys that come from
 * payloads or are given by hand.
 */

/* What comes next if no transaction that failed has used numbers up meanwhile, and the largest one
   in use. Text, as in all of the catalog. */
static const struct pg_statement READ_IDS = {
    .sql = "SELECT"
           " (s.last_value + CASE WHEN s.is_called THEN 1 ELSE 0 END)::text,"
           " (SELECT coalesce(max(t.dead_letter_id), 0) FROM " ENTITY_SCHEMA ".dead_letters AS t)"
           "::text"
           " FROM " ENTITY_SCHEMA ".dead_letters_dead_letter_id_seq AS s",
};

static bool may_read_ids(const struct catalog *catalog)
{
    struct catalog_table table;
    struct catalog_column column;

    return strcmp(catalog_server_fact(catalog, SERVER_SCHEMA), "usage") == 0 &&
           catalog_server_fact(catalog, SERVER_DEAD_LETTER_IDS)[0] != '\0' &&
           catalog_find_table(catalog, "dead_letters", &table) &&
           strchr(table.privileges, 'S') != NULL &&
           catalog_find_column(catalog, "dead_letters", "dead_letter_id", &column);
}

static void compare(struct review *review, const char *next, const char *largest)
{
    struct error err;

    if (atoll(next) > atoll(largest))
        return;
    error_set(&err, ERROR_PROBLEMS, "identity behind its rows",
              ENTITY_SCHEMA ".dead_letters.dead_letter_id",
              "it gives %s next, and there are numbers up to %s: no dead letter can be written",
              next, largest);
    error_hint(
        &err,
        "a logical copy brings the rows and not the sequences; " PG_DEAD_LETTERS_SET_IDENTITY);
    review_problem(review, &err);
}

int catalog_check_identity(const struct catalog *catalog, struct pg_conn *conn,
                           const struct catalog_report *report)
{
    struct review review = { .catalog = catalog, .report = report };
    struct pg_call call = { .statement = &READ_IDS };
    struct pg_failure failure;

    if (!may_read_ids(catalog))
        return 0;
    if (pg_conn_round_trip(conn, &call, 1, &failure) != 0)
        review_problem(&review, &failure.error);
    else
        compare(&review, PQgetvalue(call.result, 0, 0), PQgetvalue(call.result, 0, 1));
    pg_calls_clear(&call, 1);
    return review.result;
}
