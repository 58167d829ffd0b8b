/*
 * The name of a process in kopru.queues: host, boot and process-id namespace, process id, start time. Enough to see that a holder
 * died on this very machine, so that a restart need not wait until its lease expires.
 */
#ifndef KOPRU_BRIDGE_HOLDER_H
#define KOPRU_BRIDGE_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* Always NUL-terminated. */
void holder_name_self(char *out, size_t size);

/* True only if that holder ran in this boot and namespace and is gone. */
bool holder_is_dead(const char *holder);

#endif
