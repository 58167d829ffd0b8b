/*
 * Tells the service manager that started this process how it is doing, with the protocol of
 * sd_notify(3): datagrams of NAME=value lines to the UNIX socket that NOTIFY_SOCKET names. Without
 * that variable, as in a shell or a container, nothing is sent.
 *
 *     notify_open(&notifier, &err);
 *     notify_send(&notifier, "READY=1");
 *     notify_close(&notifier);
 */
#ifndef KOPRU_BASE_NOTIFY_H
#define KOPRU_BASE_NOTIFY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notifier {
    int fd; /* -1 if no manager listens */
    struct sockaddr_un address;
    socklen_t address_bytes;
    int64_t watchdog_ms; /* a manager that receives no WATCHDOG=1 for this time takes the process
                            for dead; 0 if it does not watch */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Returns 0, or -1 with err of kind
   ERROR_CONFIG when the socket's name cannot be used; the notifier may then still be used and sends
   nothing. */
int notify_open(struct notifier *notifier, struct error *err);

bool notify_is_open(const struct notifier *notifier);

/* Never blocks. Returns 0, or -1 when nobody received the text, which is no reason to stop
   working. */
int notify_send(const struct notifier *notifier, const char *text);

void notify_close(struct notifier *notifier);

#endif
