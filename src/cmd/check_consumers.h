/* The part of `kopru check` that asks who else consumes the queues. */
#ifndef KOPRU_CMD_CHECK_CONSUMERS_H
#define KOPRU_CMD_CHECK_CONSUMERS_H

#include "amqp/consumer.h"
#include "config/settings.h"
#include "pg/conn.h"

/*
 * Names each queue that has more consumers than kopru's own, which is the one whose row in
 * kopru.queues says that it consumes. counted: how many consumers the broker counted for each queue
 * just before, in the order of the settings; a queue that had none, or could not be inspected, is
 * not asked about again. Takes up to CHECK_CONSUMERS_MS for each queue whose holder may be about to
 * begin or to end.
 */
void check_consumers(const struct settings *settings, const struct amqp_endpoint *endpoint,
                     struct pg_conn *conn, const uint32_t *counted, struct error_list *problems);

enum { CHECK_CONSUMERS_MS = 3000 };

#endif
