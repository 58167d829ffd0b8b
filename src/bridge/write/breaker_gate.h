/*
 * What a writer does for the breaker of its queue: it marks and counts what the database refuses,
 * stops while the breaker is open, and tries single messages until the database takes one.
 */
#ifndef KOPRU_BRIDGE_WRITE_BREAKER_GATE_H
#define KOPRU_BRIDGE_WRITE_BREAKER_GATE_H

#include "bridge/write/session.h"

/* The database refused the message, as the report says: marks it as refused and counts it for the
   breaker. It becomes a dead letter when it is committed as such; if the breaker opens before that,
   the refusal is to be taken back once it closes. */
void breaker_gate_refuse(struct write_session *session, struct message *message,
                         const struct write_report *report);

/* Whether the database refused the message, and not kopru. */
bool breaker_gate_has_refused(const struct message *message);

/* Takes back the refusal of that message: it is to be written again. */
void breaker_gate_take_back(struct message *message);

/* Whether the request has to wait: the breaker is open, and it holds messages that kopru itself did
   not refuse. */
bool breaker_gate_is_closed_to(const struct write_session *session,
                               const struct write_request *request);

/* Waits while the breaker is open, and tries a message of the request when it is this writer's
   turn. Returns false when the subscription is gone. */
bool breaker_gate_wait(struct write_session *session, const struct write_request *request);

#endif
