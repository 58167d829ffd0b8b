#include "http/listen.h"

#include "base/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client that finds it full tries again only after a second. */
enum { BACKLOG = 1024 };

static int cannot_listen(struct error *err, const char *address, const char *why)
{
    return error_set(err, ERROR_CONFIG, "cannot listen for HTTP", address, "%s", why);
}

/* Returns the descriptor, or -1 with errno. */
static int listen_on(const struct addrinfo *found)
{
    int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    found->ai_protocol);
    int on = 1;
    int reason;

    if (fd < 0)
        return -1;
    /* Connections of an earlier process that are still closing must not keep it out. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int hint_at(struct error *err, int reason)
{
    if (reason == EADDRINUSE)
        return error_hint(err, "another program listens there, maybe another kopru: give "
                               "http.listen another port, or \"\" to "
                               "switch the endpoint off");
    if (reason == EADDRNOTAVAIL)
        return error_hint(
            err, "no network interface of this machine has that address: correct http.listen");
    if (reason == EACCES)
        return error_hint(err,
                          "a port below 1024 needs a privilege: give http.listen a higher one");
    return error_hint(err, "correct http.listen, or set it to \"\" to switch the endpoint off");
}

int http_listen(const char *address, struct error *err)
{
    struct addrinfo *found = NULL;
    struct address parsed;
    const char *why = address_parse(&parsed, address);
    int fd = -1;
    int problem = 0;

    if (why != NULL) {
        cannot_listen(err, address, why);
        return error_hint(err, "write \"127.0.0.1:9187\" or \"[::1]:9187\" into http.listen");
    }
    why = address_look_up(&parsed, &found);
    if (why != NULL) {
        cannot_listen(err, address, why);
        return error_hint(err, "the host in http.listen is not known to this machine");
    }
    /* A name may stand for addresses that this machine does not have, and they are passed over. But
       if the port is taken on an address that it does have, listening on another of them would hide
       that from the operator. */
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        fd = listen_on(one);
        problem = fd < 0 ? errno : 0;
        if (problem != EADDRNOTAVAIL && problem != EAFNOSUPPORT)
            break;
    }
    freeaddrinfo(found);
    if (fd < 0) {
        cannot_listen(err, address, strerror(problem));
        return hint_at(err, problem);
    }
    return fd;
}

/* The address to which the socket is bound. If the system does not tell, it has an empty host and
   port 0. */
static struct address bound_address(int fd)
{
    struct address address = { 0 };
    struct sockaddr_storage bound = { 0 };
    socklen_t size = sizeof(bound);
    char port[8];

    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0 &&
        getnameinfo((const struct sockaddr *)&bound, size, address.host, sizeof(address.host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        address.port = (int)strtol(port, NULL, 10);
    return address;
}

bool http_listens_locally(int fd)
{
    const struct address address = bound_address(fd);

    return address_is_loopback(slice_of(address.host));
}

int http_listen_port(int fd)
{
    return bound_address(fd).port;
}
