/*
 * The tables that kopru writes or reads, each reviewed as catalog_review.h does it. For the catalog
 * files only; catalog.h has catalog_check_entity(), which is here, too.
 */
#ifndef KOPRU_PG_CATALOG_TABLES_H
#define KOPRU_PG_CATALOG_TABLES_H

#include "pg/catalog_review.h"

/* Reviews schema_version, queues and dead_letters. */
void review_own_tables(struct review *review);

#endif
