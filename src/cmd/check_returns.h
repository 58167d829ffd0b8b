/* The part of `kopru check` that asks whether a queue drops messages that came back too often. */
#ifndef KOPRU_CMD_CHECK_RETURNS_H
#define KOPRU_CMD_CHECK_RETURNS_H

#include "amqp/consumer.h"

/* Adds a warning if the broker is one whose quorum queues have a delivery-limit by default, and the
   queue is, or may be, one of them. The queue is no stream. */
void check_returns(const struct amqp_endpoint *endpoint, const struct amqp_broker *broker,
                   const char *queue, struct error_list *warnings);

#endif
