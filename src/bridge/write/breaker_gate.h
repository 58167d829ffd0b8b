/*
 * A writer before the breaker of its queue: it marks and counts what the database refuses, stops
 * while the breaker is open, and tries single messages until the database takes one.
 */
#ifndef KOPRU_BRIDGE_WRITE_BREAKER_GATE_H
#define KOPRU_BRIDGE_WRITE_BREAKER_GATE_H

#include "bridge/write/session.h"

/* The message becomes a dead letter with the report's SQLSTATE, unless the breaker opens before
   that is committed. */
void breaker_gate_refuse(struct write_session *session, struct message *message,
                         const struct write_report *report);

/* The refusal of that message is taken back: it is to be judged again. */
void breaker_gate_forgive(struct message *message);

/* Whether the request has to wait: the breaker is open, and it holds messages that kopru itself did
   not refuse. */
bool breaker_gate_is_closed_to(const struct write_session *session,
                               const struct write_request *request);

/* Waits while the breaker is open, and tries a message of the request when it is this writer's
   turn. Returns false when the subscription is gone. */
bool breaker_gate_wait(struct write_session *session, const struct write_request *request);

#endif
