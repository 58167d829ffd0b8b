/*
 * Headers that tell that a message did not go straight from its publisher to the queue, so that it
 * may have come behind newer ones (bridge/consume/lateness.h). Nothing but their presence is looked
 * at, because publishers can set them, too. The exceptions are two counts of quorum queues, of
 * which only a number above 0 tells that: x-delivery-count, how often the message came back
 * (model/returns.h), and x-acquired-count, how often anybody had it.
 */
#ifndef KOPRU_AMQP_LATE_MARK_H
#define KOPRU_AMQP_LATE_MARK_H

#include "amqp/library.h"

#include <stdbool.h>
#include <stdint.h>

/* Returns the name of such a header, or NULL if there is none: the message was dead-lettered,
   delayed, moved by a shovel or by federation; or, if it is not flagged as redelivered, another
   quorum queue delivered it before. The name is static. */
const char *amqp_late_mark(const amqp_basic_properties_t *properties, bool redelivered);

/* Returns x-delivery-count, or 0 if there is none. Only where the message is redelivered is it sure
   to be this queue's. */
uint32_t amqp_delivery_count(const amqp_basic_properties_t *properties);

#endif
