#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * libsystemd is not linked, because the protocol is documented, stable, and no more than one
 * datagram to a socket that an environment variable names. Sending never blocks, because a manager
 * that is busy must not hold up the daemon.
 */

/* The name is a path, or begins with @ and is a name of Linux's abstract namespace. */
static int take_address(struct notifier *notifier, const char *name, struct error *err)
{
    size_t bytes = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || name[1] == '\0' ||
        bytes >= sizeof(notifier->address.sun_path)) {
        error_set(err, ERROR_CONFIG, "cannot reach the service manager", name,
                  "NOTIFY_SOCKET is neither a path nor an abstract name");
        return error_hint(err, "unset NOTIFY_SOCKET, or start kopru from a unit with Type=notify");
    }
    notifier->address.sun_family = AF_UNIX;
    memcpy(notifier->address.sun_path, name, bytes);
    notifier->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    if (name[0] == '@')
        notifier->address.sun_path[0] = '\0'; /* such a name has no NUL; its length ends it */
    else
        notifier->address_bytes++;
    return 0;
}

/* Returns 0 if the manager does not watch this process. */
static int64_t watchdog_ms(void)
{
    const char *interval = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    long long us = interval != NULL ? strtoll(interval, NULL, 10) : 0;

    if (us <= 0 || (pid != NULL && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    return us < 1000 ? 1 : us / 1000;
}

int notify_open(struct notifier *notifier, struct error *err)
{
    const char *name = getenv("NOTIFY_SOCKET");

    *notifier = (struct notifier){ .fd = -1 };
    if (name == NULL || name[0] == '\0')
        return 0;
    if (take_address(notifier, name, err) != 0)
        return -1;
    notifier->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notifier->fd < 0)
        return error_set(err, ERROR_INTERNAL, "cannot reach the service manager", name, "%s",
                         strerror(errno));
    notifier->watchdog_ms = watchdog_ms();
    return 0;
}

bool notify_is_open(const struct notifier *notifier)
{
    return notifier->fd >= 0;
}

int notify_send(const struct notifier *notifier, const char *text)
{
    size_t bytes = strlen(text);

    if (notifier->fd < 0)
        return 0;
    return sendto(notifier->fd, text, bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&notifier->address,
                  notifier->address_bytes) == (ssize_t)bytes
               ? 0
               : -1;
}

void notify_close(struct notifier *notifier)
{
    if (notifier->fd >= 0)
        close(notifier->fd);
    notifier->fd = -1;
}
