/*
 * Whether a unique key that refused a row is the site's own: none of its columns is one that kopru
 * fills, such as a number from a sequence. Then no message is at fault: the sequence may be behind
 * its rows.
 */
#ifndef KOPRU_PG_SITE_KEY_H
#define KOPRU_PG_SITE_KEY_H

#include "model/entity.h"
#include "pg/conn.h"

/* Parameters: the schema and the name of an index. Returns the name of each of its columns, null
   for an expression. */
extern const struct pg_statement PG_INDEX_COLUMNS;

/* Of a unique violation (23505, 23P01), outside of any transaction: where the key is the site's
   own, sets failure->class to pause, and a hint. Does nothing with any other failure, or where the
   server does not say. The connection may be lost afterwards. */
void pg_site_key_judge(struct pg_conn *conn, const struct entity *entity,
                       struct pg_failure *failure);

#endif
