/*
 * What becomes of an entity that fails alone and is not refused for good, or that takes too much
 * time or memory: it is quarantined (quarantine.h), tried again and again, and judged message by
 * message.
 *
 * A message is at fault, and becomes a dead letter with an alarm, when an error without a rule hit
 * it alone quarantine.attempts times, over at least quarantine.minutes, while other messages
 * committed through the same statements in between. Without that success, and for any other error,
 * time or memory, it is tried for ever: that is what an outage looks like.
 *
 * A refusal that a whole table can raise (write_report.unproven) needs no more than such a success,
 * or a stored row that the database takes (session_ask_witness()), and one more failure after it.
 * Where nothing is stored that can tell, a few failures are enough, as long as no other entity
 * fails.
 */
#ifndef KOPRU_BRIDGE_WRITE_TRIAL_H
#define KOPRU_BRIDGE_WRITE_TRIAL_H

#include "bridge/write/session.h"

/* Quarantines the accepted messages of one id, in order of arrival, for what the report says.
   Returns false when there is no room. */
bool trial_quarantine(struct write_session *session, struct message *const *messages, size_t count,
                      const struct write_report *report);

/* Whether a trial is due: it is time for it, or the daemon stops and this is the last one. */
bool trial_is_due(const struct write_session *session);

/* Holds all trials that are due. Returns false when the subscription is gone or the lease is
   lost. */
bool trial_run_due(struct write_session *session);

#endif
