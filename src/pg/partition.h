/*
 * Of a partitioned table, PostgreSQL names the partition that refused a row, and not the table.
 * A verdict is about the table, so the catalog is asked for it; people are told the partition.
 */
#ifndef KOPRU_PG_PARTITION_H
#define KOPRU_PG_PARTITION_H

#include "model/entity.h"
#include "pg/conn.h"

/* Parameters: the schema and the name of a table. Returns the name of each table of ENTITY_SCHEMA
   of which it is a partition, at whatever depth; itself may be among them. */
extern const struct pg_statement PG_PARTITION_OF;

/* Of a refusal (SQLSTATE_REFUSE) that names a table which is none of the entity's, outside of any
   transaction and before verdict_reach(): sets failure->partition_of if it is a partition of one.
   Does nothing with any other failure, nor where the server does not say: then the table counts as
   a foreign one, and the rows wait. conn may be NULL; it may be lost afterwards. */
void pg_partition_look_up(struct pg_conn *conn, const struct entity *entity,
                          struct pg_failure *failure);

#endif
