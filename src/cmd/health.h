/*
 * The answers to "does it live" and "does it work", as Kubernetes and people ask them: a line for
 * each part, [+] or [-].
 *
 *     [+]database ok
 *     [-]queue secom-customer-queue not consuming: cannot connect to the broker ...
 *     readyz check failed
 */
#ifndef KOPRU_CMD_HEALTH_H
#define KOPRU_CMD_HEALTH_H

#include "base/buffer.h"
#include "bridge/observe/status.h"

/* Whether every thread came round within limit_ms or rests. What the servers do plays no part,
   because an outage is no reason to kill the daemon. Appends "ok", or the parts if verbose is set
   or one of them failed. */
bool health_livez(const struct bridge_status *status, int64_t limit_ms, bool verbose,
                  struct buffer *out);

/* Whether the database is reachable and has what the mappings need, and every queue is consumed and
   written, or another instance holds its lease and this one stands by. Appends the same as
   health_livez(). */
bool health_readyz(const struct bridge_status *status, bool verbose, struct buffer *out);

#endif
