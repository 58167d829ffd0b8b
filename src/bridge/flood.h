/*
 * What a writer does about the database's refusals: it marks the message, counts it, and stops at
 * the queue's breaker.
 */
#ifndef KOPRU_BRIDGE_FLOOD_H
#define KOPRU_BRIDGE_FLOOD_H

#include "bridge/stream.h"

/* The message becomes a dead letter with the report's SQLSTATE, unless the breaker opens before
   that is committed. */
void flood_refuse(struct writer *writer, struct message *message,
                  const struct write_report *report);

/* Whether the database refused it, and not kopru. */
bool flood_is_refused(const struct message *message);

/* It is to be judged again. */
void flood_forgive(struct message *message);

/* False of a request with nothing but messages that kopru itself refused. */
bool flood_concerns(const struct write_request *request);

/* Waits while the breaker is open, and tries a message of the request when it is this writer's
   turn. False when the subscription is gone. */
bool flood_wait(struct writer *writer, const struct write_request *request);

#endif
