/*
 * The answers to "does it live" and "does it work", as Kubernetes and people ask them: a line for
 * each part, [+] or [-].
 *
 *     [+]database ok
 *     [-]queue secom-customer-queue not consuming: cannot connect to the broker
 * "erp.example.com:5671": connection refused readyz check failed
 */
#ifndef KOPRU_CMD_HEALTH_H
#define KOPRU_CMD_HEALTH_H

#include "base/buffer.h"
#include "bridge/observe/status.h"

/* Every thread came round within limit_ms or rests. What the servers do plays no part: an outage is
   no reason to kill the daemon. Appends "ok", or the parts if asked for or if one failed. Returns
   whether all is well. */
bool health_livez(const struct bridge_status *status, int64_t limit_ms, bool verbose,
                  struct buffer *out);

/* The database is there as the mappings need it, and every queue is being consumed and written, or
   is another instance's while this one stands by to take it over. Appends and returns likewise. */
bool health_readyz(const struct bridge_status *status, bool verbose, struct buffer *out);

#endif
