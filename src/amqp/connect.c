#include "amqp/connect.h"

#include "amqp/errors.h"
#include "amqp/tls.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/*
 * kopru dials by itself and gives rabbitmq-c a connected socket. The library would let the first
 * address that does not answer use up the whole timeout, and its errors name neither the address
 * nor the reason. Only with TLS does the library dial, because it cannot start TLS on a socket that
 * it is given; it then gets one numeric address at a time. After login, TCP_USER_TIMEOUT sets a
 * limit to a send that blocks, since the library sets none.
 */

static const char WHAT[] = "cannot connect to the broker";

static struct timeval timeval_of_ms(int ms)
{
    return (struct timeval){ ms / 1000, (ms % 1000) * 1000L };
}

/* Returns a connected, non-blocking socket, or -1 with errno. */
static int dial(const struct addrinfo *address, int timeout_ms)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    struct pollfd waiting = { fd, POLLOUT, 0 };
    int cause = 0;
    socklen_t cause_len = sizeof(cause);
    int ready;
    int on = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    if (errno != EINPROGRESS) {
        cause = errno;
        goto failed;
    }
    do
        ready = poll(&waiting, 1, clock_left_ms(deadline));
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        cause = ETIMEDOUT;
    else if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &cause_len) != 0)
        cause = errno;
    if (cause == 0)
        return fd;

failed:
    close(fd);
    errno = cause;
    return -1;
}

/* Writes the address without the port: "192.0.2.1". */
static void write_address(const struct addrinfo *address, char *out, size_t size)
{
    if (getnameinfo(address->ai_addr, address->ai_addrlen, out, (socklen_t)size, NULL, 0,
                    NI_NUMERICHOST) != 0)
        snprintf(out, size, "?");
}

static int fail_to_reach(const struct amqp_target *target, const struct addrinfo *address,
                         int cause, struct error *err)
{
    char text[NI_MAXHOST];

    write_address(address, text, sizeof(text));
    error_set(err, ERROR_UNAVAILABLE, WHAT, target->name, "%s: %s", text, strerror(cause));
    return error_hint(
        err,
        "check that the broker is running, the host and the port, and the firewalls in between");
}

static int open_plain(amqp_connection_state_t state, const struct amqp_target *target,
                      const struct addrinfo *address, int timeout_ms, struct error *err)
{
    amqp_socket_t *sock;
    int fd = dial(address, timeout_ms);

    if (fd < 0)
        return fail_to_reach(target, address, errno, err);
    sock = amqp_tcp_socket_new(state);
    if (sock == NULL) {
        close(fd);
        return error_no_memory(err);
    }
    amqp_tcp_socket_set_sockfd(sock, fd);
    return 0;
}

/* rabbitmq-c dials TLS connections itself, and all it says about a failure is "socket error".
   Dialling once more finds the reason. */
static int explain_tls_socket(const struct amqp_tls *tls, const struct addrinfo *address,
                              int timeout_ms, struct error *err)
{
    int fd = dial(address, timeout_ms);

    if (fd < 0)
        return fail_to_reach(tls->target, address, errno, err);
    close(fd);
    return amqp_tls_explain(tls, AMQP_STATUS_SOCKET_ERROR, err);
}

static int open_tls(struct amqp_link *link, const struct amqp_target *target,
                    const struct addrinfo *address, int timeout_ms, struct error *err)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    struct timeval timeout = timeval_of_ms(timeout_ms);
    struct amqp_tls tls;
    char text[NI_MAXHOST];
    int result = amqp_tls_attach(&tls, link->connection, target, err);
    int status;

    if (result != 0)
        goto out;
    write_address(address, text, sizeof(text));
    status = amqp_socket_open_noblock(tls.socket, text, target->uri.port, &timeout);
    if (status == AMQP_STATUS_SOCKET_ERROR)
        result = explain_tls_socket(&tls, address, clock_left_ms(deadline), err);
    else if (status != AMQP_STATUS_OK)
        result = amqp_tls_explain(&tls, status, err);
    link->session = result == 0 ? tls.session : NULL;

out:
    amqp_tls_detach(&tls);
    return result;
}

static int resolve(struct addrinfo **out, const struct amqp_target *target, struct error *err)
{
    struct addrinfo wanted = { .ai_family = AF_UNSPEC,
                               .ai_socktype = SOCK_STREAM,
                               .ai_flags = AI_NUMERICSERV };
    char port[8];
    int failure;

    snprintf(port, sizeof(port), "%u", target->uri.port);
    failure = getaddrinfo(target->uri.host, port, &wanted, out);
    if (failure == 0)
        return 0;
    error_set(err, ERROR_UNAVAILABLE, "cannot resolve the broker's host name", target->uri.host,
              "%s", failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
    return error_hint(err, "check the host in amqp.uri and the name service");
}

/* Sets *deadline. The time is counted from when the name has been resolved. */
static int open_socket(struct amqp_link *link, const struct amqp_target *target, int64_t *deadline,
                       struct error *err)
{
    struct addrinfo *addresses = NULL;
    int untried = 0;
    int result = -1;

    if (resolve(&addresses, target, err) != 0)
        return -1;
    *deadline = clock_monotonic_ms() + target->connect_timeout_ms;
    for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next)
        untried++;
    for (const struct addrinfo *address = addresses; address != NULL && result != 0;
         address = address->ai_next, untried--) {
        int share_ms = clock_left_ms(*deadline) / untried;

        result = target->uri.tls ? open_tls(link, target, address, share_ms, err)
                                 : open_plain(link->connection, target, address, share_ms, err);
    }
    freeaddrinfo(addresses);
    return result;
}

/* Has the kernel end the connection when the peer acknowledges nothing for three heartbeats;
   rabbitmq-c would wait for ever. */
static void bound_silence(amqp_connection_state_t state)
{
    unsigned timeout_ms = (unsigned)amqp_get_heartbeat(state) * 3000u;

    setsockopt(amqp_get_sockfd(state), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
               sizeof(timeout_ms));
}

static amqp_table_entry_t text_entry(const char *key, const char *value)
{
    amqp_table_entry_t entry = { .key = amqp_cstring_bytes(key) };

    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

static amqp_table_entry_t true_entry(const char *key)
{
    amqp_table_entry_t entry = { .key = amqp_cstring_bytes(key) };

    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}

static amqp_rpc_reply_t log_in(amqp_connection_state_t state, const struct amqp_target *target)
{
    char host[HOST_NAME_MAX + 1] = "";
    char name[HOST_NAME_MAX + 32];
    amqp_table_entry_t capabilities[] = { true_entry("consumer_cancel_notify"),
                                          true_entry("connection.blocked") };
    amqp_table_entry_t properties[4];
    amqp_table_t table = { 4, properties };
    const char *vhost = target->uri.vhost;

    gethostname(host, sizeof(host) - 1);
    snprintf(name, sizeof(name), "kopru %s %ld", host, (long)getpid());
    properties[0] = text_entry("product", "kopru");
    properties[1] = text_entry("version", KOPRU_VERSION);
    properties[2] = text_entry("connection_name", name);
    properties[3] = (amqp_table_entry_t){ .key = amqp_cstring_bytes("capabilities") };
    properties[3].value.kind = AMQP_FIELD_KIND_TABLE;
    properties[3].value.value.table = (amqp_table_t){ 2, capabilities };

    if (target->uri.auth == AMQP_AUTH_EXTERNAL)
        return amqp_login_with_properties(state, vhost, AMQP_CHANNEL, AMQP_FRAME_MAX_BYTES,
                                          target->heartbeat_s, &table, AMQP_SASL_METHOD_EXTERNAL,
                                          "");
    return amqp_login_with_properties(state, vhost, AMQP_CHANNEL, AMQP_FRAME_MAX_BYTES,
                                      target->heartbeat_s, &table, AMQP_SASL_METHOD_PLAIN,
                                      target->uri.user, target->password);
}

static int fail_to_log_in(const struct amqp_target *target, const amqp_rpc_reply_t *reply,
                          struct error *err)
{
    bool is_cut = reply->reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
                  (reply->library_error == AMQP_STATUS_CONNECTION_CLOSED ||
                   reply->library_error == AMQP_STATUS_SOCKET_ERROR ||
                   reply->library_error == AMQP_STATUS_SSL_ERROR);

    amqp_reply_error(err, "cannot log in to the broker", target->name, reply);
    /* A broker that refuses a user says so. One that refuses a certificate says so too, but often
       closes the connection before that can be read. */
    if (is_cut && target->uri.tls)
        error_hint(err, "the broker may want a client certificate (amqp.cert_file), or refuse the "
                        "one it got: its log says which");
    else if (is_cut)
        error_hint(err, "check that host and port are those of an AMQP 0-9-1 listener, with "
                        "amqps:// where it speaks TLS");
    return -1;
}

static int start_session(amqp_connection_state_t state, const struct amqp_target *target,
                         int64_t deadline, struct error *err)
{
    struct timeval login_timeout = timeval_of_ms(clock_left_ms(deadline));
    struct timeval rpc_timeout = timeval_of_ms(target->rpc_timeout_ms);
    amqp_rpc_reply_t reply;

    if (amqp_set_handshake_timeout(state, &login_timeout) != AMQP_STATUS_OK ||
        amqp_set_rpc_timeout(state, &rpc_timeout) != AMQP_STATUS_OK)
        return amqp_status_error(err, WHAT, target->name, AMQP_STATUS_INVALID_PARAMETER);
    reply = log_in(state, target);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return fail_to_log_in(target, &reply, err);
    bound_silence(state);
    amqp_channel_open(state, AMQP_CHANNEL);
    reply = amqp_get_rpc_reply(state);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return amqp_reply_error(err, "cannot open a channel", target->name, &reply);
    amqp_maybe_release_buffers(state);
    return 0;
}

int amqp_connect(struct amqp_link *out, const struct amqp_target *target, struct error *err)
{
    int64_t deadline = 0;
    struct amqp_link link = { .connection = amqp_new_connection() };

    if (link.connection == NULL)
        return error_no_memory(err);
    if (open_socket(&link, target, &deadline, err) != 0 ||
        start_session(link.connection, target, deadline, err) != 0) {
        amqp_destroy_connection(link.connection);
        return -1;
    }
    *out = link;
    return 0;
}
