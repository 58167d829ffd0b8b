#include "amqp/errors.h"

#include "base/utf8.h"

#include <errno.h>
#include <openssl/err.h>

/*
 * The kind of an error decides whether kopru tries again or a person must act first, so it is data:
 * one table for the library and one for the broker. rabbitmq-c's own texts name the mechanism ("a
 * socket error occurred") and not what to look at. A code that stands in neither table counts as an
 * outage, because trying again is the safe answer to the unknown.
 */

struct meaning {
    int code;
    enum error_kind kind;
    const char *text;
    const char *hint; /* NULL if there is nothing to check */
};

static const char hint_network[] =
    "kopru reconnects by itself; if that keeps failing, check the broker's log and the network";
static const char hint_bytes[] = "check that host and port are those of an AMQP 0-9-1 listener, "
                                 "with amqps:// where it speaks TLS";
static const char hint_tls[] = "check that the port speaks TLS, and the certificates on both sides";
static const char hint_bug[] =
    "this should not happen: please report it with the version of kopru and of the broker";

/* AMQP_STATUS_SSL_UNIMPLEMENTED, a name that rabbitmq-c 0.11 does not have yet. */
enum { STATUS_SSL_UNIMPLEMENTED = -0x0205 };

static const struct meaning statuses[] = {
    { AMQP_STATUS_OK, ERROR_INTERNAL, "no error", hint_bug },
    { AMQP_STATUS_NO_MEMORY, ERROR_INTERNAL, "out of memory",
      "lower limits.max_unacknowledged_bytes or prefetch, or give the process more memory" },
    { AMQP_STATUS_BAD_AMQP_DATA, ERROR_UNAVAILABLE, "the data received is not valid AMQP",
      hint_bytes },
    { AMQP_STATUS_UNKNOWN_CLASS, ERROR_UNAVAILABLE, "the data received has an unknown AMQP class",
      hint_bytes },
    { AMQP_STATUS_UNKNOWN_METHOD, ERROR_UNAVAILABLE, "the data received has an unknown AMQP method",
      hint_bytes },
    { AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED, ERROR_UNAVAILABLE, "the host name cannot be resolved",
      "check the host in amqp.uri and the name service" },
    { AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION, ERROR_UNAVAILABLE,
      "the broker does not speak AMQP 0-9-1", hint_bytes },
    { AMQP_STATUS_CONNECTION_CLOSED, ERROR_UNAVAILABLE,
      "the connection was closed by the other side", hint_network },
    { AMQP_STATUS_BAD_URL, ERROR_CONFIG, "the URI is malformed", "check amqp.uri" },
    { AMQP_STATUS_SOCKET_ERROR, ERROR_UNAVAILABLE, "the connection failed", hint_network },
    { AMQP_STATUS_INVALID_PARAMETER, ERROR_INTERNAL, "rabbitmq-c refused a parameter", hint_bug },
    { AMQP_STATUS_TABLE_TOO_BIG, ERROR_INTERNAL, "a table or name does not fit into a frame",
      hint_bug },
    { AMQP_STATUS_WRONG_METHOD, ERROR_UNAVAILABLE,
      "the broker answered with another method than expected", hint_bytes },
    { AMQP_STATUS_TIMEOUT, ERROR_UNAVAILABLE, "the broker did not answer in time",
      "check the broker's load and alarms, and the network" },
    { AMQP_STATUS_TIMER_FAILURE, ERROR_INTERNAL, "the system's clock cannot be read", NULL },
    { AMQP_STATUS_HEARTBEAT_TIMEOUT, ERROR_UNAVAILABLE,
      "nothing came from the broker for two heartbeats", hint_network },
    { AMQP_STATUS_UNEXPECTED_STATE, ERROR_UNAVAILABLE, "an unexpected frame arrived", hint_bytes },
    { AMQP_STATUS_SOCKET_CLOSED, ERROR_UNAVAILABLE, "the connection is already closed",
      hint_network },
    { AMQP_STATUS_SOCKET_INUSE, ERROR_INTERNAL, "the socket is already in use", hint_bug },
    { AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD, ERROR_CONFIG,
      "the broker does not offer this way to log in",
      "auth_mechanism=external needs the plugin rabbitmq_auth_mechanism_ssl and its mechanism in "
      "the broker's auth_mechanisms" },
    { AMQP_STATUS_UNSUPPORTED, ERROR_INTERNAL, "rabbitmq-c does not support a parameter",
      hint_bug },
    { AMQP_STATUS_TCP_ERROR, ERROR_UNAVAILABLE, "the TCP connection failed", hint_network },
    { AMQP_STATUS_TCP_SOCKETLIB_INIT_ERROR, ERROR_INTERNAL,
      "the socket library cannot be initialized", hint_bug },
    { AMQP_STATUS_SSL_ERROR, ERROR_UNAVAILABLE, "TLS failed", hint_tls },
    { AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED, ERROR_UNAVAILABLE,
      "the broker's certificate is for another host name",
      "the host in amqp.uri must be a subject alternative name of the certificate" },
    { AMQP_STATUS_SSL_PEER_VERIFY_FAILED, ERROR_UNAVAILABLE,
      "the broker's certificate is not trusted", "check amqp.ca_file" },
    { AMQP_STATUS_SSL_CONNECTION_FAILED, ERROR_UNAVAILABLE, "the TLS handshake failed", hint_tls },
    { AMQP_STATUS_SSL_SET_ENGINE_FAILED, ERROR_INTERNAL, "the TLS engine cannot be set", hint_bug },
    { STATUS_SSL_UNIMPLEMENTED, ERROR_INTERNAL, "the TLS library lacks a function", hint_bug },
};

/* The broker's reply codes. The rest is in the reply text, which is quoted. */
static const struct meaning replies[] = {
    { AMQP_CONNECTION_FORCED, ERROR_UNAVAILABLE, "connection forced",
      "the broker is stopping, or somebody closed the connection there" },
    { AMQP_INVALID_PATH, ERROR_PERMISSION, "invalid path", "check the vhost in amqp.uri" },
    { AMQP_ACCESS_REFUSED, ERROR_PERMISSION, "access refused",
      "check user and password, and what the user may read in this vhost: rabbitmqctl "
      "list_user_permissions" },
    { AMQP_NOT_FOUND, ERROR_PROBLEMS, "not found",
      "kopru never creates a queue: check its name and the vhost with the ERP's owner, and that it "
      "is not auto-delete: such a queue is deleted when kopru ends its subscription" },
    { AMQP_RESOURCE_LOCKED, ERROR_PROBLEMS, "resource locked",
      "the queue is exclusive to another connection, and is deleted when that connection closes: "
      "ask its owner for a durable queue that is not exclusive" },
    { AMQP_PRECONDITION_FAILED, ERROR_UNAVAILABLE, "precondition failed",
      "if the text mentions a timeout: the database was away for longer than the broker's "
      "consumer_timeout, and unacknowledged messages are redelivered" },
    { AMQP_CONTENT_TOO_LARGE, ERROR_UNAVAILABLE, "content too large", NULL },
    { AMQP_NO_ROUTE, ERROR_UNAVAILABLE, "no route", NULL },
    { AMQP_NO_CONSUMERS, ERROR_UNAVAILABLE, "no consumers", NULL },
    { AMQP_FRAME_ERROR, ERROR_INTERNAL, "frame error", hint_bug },
    { AMQP_SYNTAX_ERROR, ERROR_INTERNAL, "syntax error", hint_bug },
    { AMQP_COMMAND_INVALID, ERROR_INTERNAL, "command invalid", hint_bug },
    { AMQP_CHANNEL_ERROR, ERROR_INTERNAL, "channel error", hint_bug },
    { AMQP_UNEXPECTED_FRAME, ERROR_INTERNAL, "unexpected frame", hint_bug },
    { AMQP_RESOURCE_ERROR, ERROR_UNAVAILABLE, "resource error",
      "the broker lacks memory, disk or another resource: see its log" },
    { AMQP_NOT_ALLOWED, ERROR_PERMISSION, "not allowed",
      "check that the vhost in amqp.uri exists and that the user may enter it" },
    { AMQP_NOT_IMPLEMENTED, ERROR_UNAVAILABLE, "not implemented", NULL },
    { AMQP_INTERNAL_ERROR, ERROR_UNAVAILABLE, "internal error",
      "the broker had an internal failure: see its log" },
};

/* What a reply text says more exactly than its code; RabbitMQ 3.10 to 4 have the same words. */
static const struct {
    int code;
    const char *words; /* in the reply text */
    enum error_kind kind;
    const char *hint;
} texts[] = {
    { AMQP_ACCESS_REFUSED, "in exclusive use", ERROR_PROBLEMS,
      "another client consumes the queue with the exclusive flag: find it with rabbitmqctl "
      "list_consumers and stop it; kopru tries again by itself" },
    { AMQP_PRECONDITION_FAILED, "of queue type", ERROR_PROBLEMS,
      "kopru consumes classic and quorum queues: what a stream held before would be skipped, and "
      "an acknowledgement takes nothing out of it; have its owner bind a classic or a quorum queue "
      "to the same exchange" },
    { AMQP_NOT_ALLOWED, "vhost  not found", ERROR_PERMISSION,
      "leave out the slash at the end of amqp.uri: what follows it is the name of the vhost, here "
      "an empty one; the vhost / is written %2F, or left out with its slash" },
};

static const struct meaning *find(const struct meaning *table, size_t count, int code)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].code == code)
            return &table[i];
    return NULL;
}

static const struct meaning *find_status(int status)
{
    return find(statuses, sizeof(statuses) / sizeof(statuses[0]), status);
}

const char *amqp_status_text(int status)
{
    const struct meaning *meaning = find_status(status);

    return meaning != NULL ? meaning->text : amqp_error_string2(status);
}

static bool is_tls_status(int status)
{
    return status <= AMQP_STATUS_SSL_ERROR && status >= STATUS_SSL_UNIMPLEMENTED;
}

int amqp_status_error(struct error *err, const char *what, const char *subject, int status)
{
    int cause = errno;
    const char *detail = NULL;
    const struct meaning *meaning;

    /* OpenSSL failed without an error of its own: the TCP connection ended. */
    if (status == AMQP_STATUS_SSL_ERROR && ERR_peek_last_error() == 0)
        status = AMQP_STATUS_CONNECTION_CLOSED;
    /* errno and the error queue are as the failed call left them; rabbitmq-c tells no more. */
    if (status == AMQP_STATUS_SOCKET_ERROR && cause != 0 && cause != EAGAIN)
        detail = strerror(cause);
    else if (is_tls_status(status))
        detail = ERR_reason_error_string(ERR_peek_last_error());

    meaning = find_status(status);
    error_set(err, meaning != NULL ? meaning->kind : ERROR_UNAVAILABLE, what, subject,
              detail != NULL ? "%s: %s" : "%s", amqp_status_text(status), detail);
    if (meaning != NULL && meaning->hint != NULL)
        error_hint(err, "%s", meaning->hint);
    return -1;
}

/* The text comes from the network and goes to logs and terminals. Whatever is not printable UTF-8
   becomes a question mark. */
static void clean(char *out, size_t size, struct slice text)
{
    bool is_utf8 = utf8_is_valid(text);
    size_t len = is_utf8 ? utf8_cut(text, size - 1).len : text.len < size - 1 ? text.len : size - 1;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool is_printable = c >= 0x80 ? is_utf8 : c >= 0x20 && c != 0x7f;

        out[i] = is_printable ? (char)c : '?';
    }
    out[len] = '\0';
}

int amqp_close_error(struct error *err, const char *what, const char *subject, unsigned reply_code,
                     struct slice reply_text)
{
    const struct meaning *meaning =
        find(replies, sizeof(replies) / sizeof(replies[0]), (int)reply_code);
    char text[256];

    clean(text, sizeof(text), reply_text);
    error_set(err, meaning != NULL ? meaning->kind : ERROR_UNAVAILABLE, what, subject,
              "the broker says: %u %s", reply_code, text);
    if (meaning != NULL && meaning->hint != NULL)
        error_hint(err, "%s", meaning->hint);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].code != (int)reply_code || strstr(text, texts[i].words) == NULL)
            continue;
        err->kind = texts[i].kind;
        error_hint(err, "%s", texts[i].hint);
    }
    return -1;
}

int amqp_reply_error(struct error *err, const char *what, const char *subject,
                     const amqp_rpc_reply_t *reply)
{
    if (reply->reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply->reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = reply->reply.decoded;

        return amqp_close_error(err, what, subject, close->reply_code,
                                amqp_bytes_slice(close->reply_text));
    }
    if (reply->reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply->reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = reply->reply.decoded;

        return amqp_close_error(err, what, subject, close->reply_code,
                                amqp_bytes_slice(close->reply_text));
    }
    if (reply->reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return amqp_status_error(err, what, subject, reply->library_error);
    return amqp_status_error(err, what, subject, AMQP_STATUS_UNEXPECTED_STATE);
}
