/*
 * The name of a process in kopru.queues: host, boot and process-id namespace, process id, start
 * time. Enough to see that a holder died on this very machine, so that a restart need not wait
 * until its lease expires.
 */
#ifndef KOPRU_BRIDGE_HOLDER_H
#define KOPRU_BRIDGE_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* Always NUL-terminated. */
void holder_name_self(char *out, size_t size);

/* True only if that holder ran in this boot and namespace and is gone. */
bool holder_is_dead(const char *holder);

/* What a holder says besides its name; outstanding.h says why. */
enum holder_word {
    HOLDER_SILENT,
    HOLDER_CONSUMING, /* the broker counts it as a consumer of the queue */
    HOLDER_LOST,      /* its connection to the broker ended, and nobody knows whether the broker has
                         noticed */
};

void holder_say(char *out, size_t size, const char *name, enum holder_word word);
enum holder_word holder_said(const char *holder);

/* Whether that holder is the process of this name, whatever it says besides. */
bool holder_is(const char *holder, const char *name);

#endif
