#include "http/client.h"

#include "base/address.h"
#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * One GET is written here by hand, because no library that the program is linked to is an HTTP
 * client: libmicrohttpd only serves. It asks in HTTP/1.0, so that the answer is never in chunks and
 * ends where the server closes. All waiting has one deadline: a daemon that was stopped still lets
 * its kernel accept the connection, and then says nothing.
 */

enum { MAX_HEAD_BYTES = 1 << 16, CHUNK_BYTES = 4096 };

static const char END_OF_HEAD[] = "\r\n\r\n";

static int no_answer(struct error *err, const char *address, const char *why)
{
    return error_set(err, ERROR_UNAVAILABLE, "no answer over HTTP", address, "%s", why);
}

/* Returns 0 when the socket is ready, or -1 with errno, which is ETIMEDOUT at the deadline. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
    struct pollfd watched = { .fd = fd, .events = events };
    int ready;

    do
        ready = poll(&watched, 1, clock_left_ms(deadline_ms));
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0 ? 0 : -1;
}

/* Whoever listens on every address listens on the loopback as well. */
static void replace_any_address(struct sockaddr *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)address;

    if (address->sa_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        v6->sin6_addr = in6addr_loopback;
}

/* Returns a connected socket, or -1 with errno. */
static int connect_to(const struct addrinfo *found, int64_t deadline_ms)
{
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = sizeof(int);
    int reason = 0;

    if (fd < 0)
        return -1;
    replace_any_address(found->ai_addr);
    if (connect(fd, found->ai_addr, found->ai_addrlen) == 0)
        return fd;
    if (errno == EINPROGRESS && wait_for(fd, POLLOUT, deadline_ms) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) == 0) {
        if (reason == 0)
            return fd;
        errno = reason;
    }
    reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* Returns a socket that is connected to the first address of the host that takes it, or -1 with
   err. */
static int connect_to_any(const char *address, int64_t deadline_ms, struct error *err)
{
    struct addrinfo *found = NULL;
    struct address parsed;
    const char *why = address_parse(&parsed, address);
    int fd = -1;
    int problem;

    if (why != NULL)
        return error_set(err, ERROR_CONFIG, "not an address", address, "%s", why);
    why = address_look_up(&parsed, &found);
    if (why != NULL)
        return no_answer(err, address, why);
    for (struct addrinfo *one = found; one != NULL && fd < 0; one = one->ai_next)
        fd = connect_to(one, deadline_ms);
    problem = errno;
    freeaddrinfo(found);
    return fd >= 0 ? fd : no_answer(err, address, strerror(problem));
}

/* Returns 0, or -1 with errno. The request fits the buffer of a new socket. */
static int send_request(int fd, const char *address, const char *path)
{
    struct buffer request;
    int result = -1;

    buffer_init(&request, CHUNK_BYTES);
    buffer_append_format(&request, "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
                         address);
    if (buffer_failed(&request))
        errno = ENOMEM;
    else if (send(fd, request.data, request.len, MSG_NOSIGNAL) == (ssize_t)request.len)
        result = 0;
    buffer_release(&request);
    return result;
}

/* Reads until the server closes or the buffer is full. Returns 0, or -1 with errno. */
static int receive(int fd, int64_t deadline_ms, struct buffer *answer)
{
    for (;;) {
        char chunk[CHUNK_BYTES];
        size_t room = answer->max_bytes - answer->len;
        ssize_t got;

        if (room == 0)
            return 0;
        if (wait_for(fd, POLLIN, deadline_ms) != 0)
            return -1;
        got = recv(fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk), 0);
        if (got == 0)
            return 0;
        if (got > 0)
            buffer_append(answer, chunk, (size_t)got);
        else if (errno != EAGAIN && errno != EINTR)
            return -1;
        if (buffer_failed(answer)) {
            errno = ENOMEM;
            return -1;
        }
    }
}

/* Takes the status and the body out of "HTTP/1.1 200 OK\r\n...\r\n\r\nBODY". Returns 0, or -1 if
   that is not what has come. */
static int split(const struct buffer *answer, int *status, struct buffer *body)
{
    static const char version[] = "HTTP/1.";
    const char *end = answer->len > 0 ? strstr(answer->data, END_OF_HEAD) : NULL;
    const char *number;
    size_t left;

    if (end == NULL || strncmp(answer->data, version, sizeof(version) - 1) != 0)
        return -1;
    number = answer->data + sizeof(version); /* behind one digit */
    if (*number != ' ')
        return -1;
    *status = (int)strtol(number, NULL, 10);
    if (*status < 100 || *status > 599)
        return -1;
    end += sizeof(END_OF_HEAD) - 1;
    left = answer->len - (size_t)(end - answer->data);
    buffer_append(body, end, left < body->max_bytes ? left : body->max_bytes);
    return 0;
}

/* A server that answers and then keeps the connection has answered nevertheless. */
static int exchange(int fd, const char *address, const char *path, int64_t deadline_ms, int *status,
                    struct buffer *body, struct error *err)
{
    struct buffer answer;
    int result = -1;

    buffer_init(&answer, MAX_HEAD_BYTES + body->max_bytes);
    if (send_request(fd, address, path) != 0 ||
        (receive(fd, deadline_ms, &answer) != 0 && errno != ETIMEDOUT))
        no_answer(err, address, strerror(errno));
    else if (split(&answer, status, body) == 0)
        result = 0;
    else if (clock_left_ms(deadline_ms) == 0)
        no_answer(err, address, "it accepts connections and is silent");
    else if (answer.len == 0)
        no_answer(err, address, "it closed the connection without a word");
    else
        no_answer(err, address, "what it says is not HTTP");
    buffer_release(&answer);
    return result;
}

int http_get(const char *address, const char *path, int timeout_ms, int *status,
             struct buffer *body, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    int fd = connect_to_any(address, deadline_ms, err);
    int result;

    if (fd < 0)
        return -1;
    result = exchange(fd, address, path, deadline_ms, status, body, err);
    close(fd);
    return result;
}
