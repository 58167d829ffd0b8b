/*
 * Why the entity file of a queue may not fit its messages. Such messages are written, because
 * nothing of them is lost: what no column takes is in `extra`. But rows of nulls look well, so it
 * is counted, logged once for each reason, and shown to people who look.
 *
 * Written by the consumer thread, read by any thread. It counts deliveries since the daemon began,
 * so a message that is redelivered counts again.
 */
#ifndef KOPRU_BRIDGE_OBSERVE_MAPPING_DOUBT_H
#define KOPRU_BRIDGE_OBSERVE_MAPPING_DOUBT_H

#include "model/lease.h"
#include "model/ports.h"

#include <pthread.h>

struct mapping_figures {
    uint64_t messages;   /* that the mapping accepted */
    uint64_t unmapped;   /* of these: nothing but their id is in the entity file */
    uint64_t other_case; /* of these: a name differs from one of the file by letter case alone */
    size_t unmatched;    /* paths of the file at which none of these had anything */
    char name[64];       /* one that is in the messages in another letter case */
    char paths[256];     /* the unmatched, as many as fit */
};

struct mapping_doubt {
    pthread_mutex_t lock;
    struct mapping_figures figures; /* guarded by lock */

    bool said_unmapped; /* the consumer thread's own, as are the next two */
    bool said_other_case;
    bool said_unmatched;
};

void mapping_doubt_init(struct mapping_doubt *doubt);
void mapping_doubt_release(struct mapping_doubt *doubt);

/* By the consumer thread: the mapper has accepted a message. */
void mapping_doubt_note(struct mapping_doubt *doubt, const char *queue, const struct change *change,
                        const struct mapper_port *port, void *mapper);

void mapping_doubt_read(struct mapping_doubt *doubt, struct mapping_figures *figures);

/* Writes the reasons in one sentence; "" if there is none. Returns out. */
const char *mapping_doubt_text(const struct mapping_figures *figures, char *out, size_t size);

#endif
