/*
 * What the bridge needs of the world, as small function tables: so that it is tested with scripted
 * fakes, without servers. The real ones are put together in cmd. Each `context` is the
 * implementation's own.
 *
 * Functions that fail return -1 and fill the error, without values of payloads.
 */
#ifndef KOPRU_BRIDGE_PORTS_H
#define KOPRU_BRIDGE_PORTS_H

#include "base/error.h"
#include "model/lease.h"
#include "model/message.h"
#include "model/ports.h"

/* Transactions; one store a writer thread. It connects by itself when it must. */
struct store_port {
    void *context;
    void *(*open)(void *context); /* NULL when there is no memory */
    void (*close)(void *store);
    enum write_outcome (*write)(void *store, int64_t epoch, const struct write_request *request,
                                struct write_report *report);
};

/* The right to write; used by one thread. */
struct lease_port {
    void *context;
    /* Connects and checks that the tables are what the mappings need; every problem is in the list.
     */
    int (*open)(void *context, void **session, struct error_list *problems);
    void (*close)(void *session);
    int (*read)(void *session, const char *queue, const char *entity, struct lease *lease,
                struct error *err);
    int (*take)(void *session, const char *queue, const char *holder, struct lease *lease,
                struct error *err); /* 1, 0, -1 */
    /* holder: under which name; NULL gives it back. 1, 0 when it is no longer ours, -1. */
    int (*renew)(void *session, const char *queue, int64_t epoch, const struct lease_news *news,
                 const char *holder, struct error *err);
};

#endif
