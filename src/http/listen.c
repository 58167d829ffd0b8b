#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 16 };

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

static int cannot_listen(struct error *err, const char *address, const char *why)
{
    return error_set(err, ERROR_CONFIG, "cannot listen for HTTP", address, "%s", why);
}

/* Splits "host:port"; an IPv6 address stands in brackets. Returns false if it is none. */
static bool split_address(const char *address, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(address, ':');
    const char *start = address;
    size_t length;

    if (colon == NULL || colon == address)
        return false;
    length = (size_t)(colon - address);
    if (address[0] == '[' && colon[-1] == ']') {
        start++;
        length -= 2;
    }
    if (length == 0 || length >= size)
        return false;
    memcpy(host, start, length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
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
    /* What a process before us left half closed must not keep us out. */
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
    const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    const char *port;
    char host[256];
    int fd = -1;
    int problem;

    if (!split_address(address, host, sizeof(host), &port)) {
        cannot_listen(err, address, "it is not host:port");
        return error_hint(err, "write \"127.0.0.1:9187\" or \"[::1]:9187\" into http.listen");
    }
    problem = getaddrinfo(host, port, &wanted, &found);
    if (problem != 0) {
        cannot_listen(err, address,
                      problem == EAI_SYSTEM ? strerror(errno) : gai_strerror(problem));
        return error_hint(err, "http.listen names a host that is not known here");
    }
    /* A name may stand for addresses that this machine does not have; where one of its own is
       taken, the next is no substitute. */
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

static bool own_address(int fd, union any_address *address)
{
    socklen_t size = sizeof(*address);

    return getsockname(fd, &address->any, &size) == 0;
}

bool http_listens_locally(int fd)
{
    union any_address address = { 0 };

    if (!own_address(fd, &address))
        return false;
    if (address.any.sa_family == AF_INET)
        return ntohl(address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return address.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
}

int http_listen_port(int fd)
{
    union any_address address = { 0 };

    if (!own_address(fd, &address))
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}
