#include "amqp/uri.h"

#include "base/hex.h"
#include "base/slice.h"
#include "base/utf8.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * The pieces are cut off from left to right at the delimiters of RFC 3986, and only then decoded,
 * so that %40 in a password is never taken for the @ before the host. Where a lenient parser would
 * have to guess, the URI is refused: a second @, a path of several segments, a parameter that is
 * unknown or given twice. A wrong guess would lead to another vhost, or to a connection
 * without TLS.
 */

static const char WHAT[] = "cannot read the broker's address";
static const char SUBJECT[] = "amqp.uri";

enum {
    PORT_PLAIN = 5672,
    PORT_TLS = 5671,
    VHOST_MAX_BYTES = 255, /* a short string of AMQP */
    HEARTBEAT_MAX_S = 600,
    CONNECT_TIMEOUT_MAX_MS = 600000,
};

static int bad(struct error *err, const char *why, const char *hint)
{
    error_set(err, ERROR_CONFIG, WHAT, SUBJECT, "%s", why);
    return error_hint(err, "%s", hint);
}

static bool is_text(struct slice bytes)
{
    if (!utf8_is_valid(bytes))
        return false;
    for (size_t i = 0; i < bytes.len; i++)
        if ((unsigned char)bytes.data[i] < 0x20 || bytes.data[i] == 0x7f)
            return false;
    return true;
}

/* Decodes %XX into a new string. part is what an error calls the piece. */
static int decode(char **out, struct slice source, const char *part, struct error *err)
{
    char *text = malloc(source.len + 1);
    size_t len = 0;

    if (text == NULL) {
        error_no_memory(err);
        return -1; /* so that clang's analyzer sees that *out is only without a string then */
    }
    *out = text; /* amqp_uri_release() frees it, whatever happens below */
    for (size_t i = 0; i < source.len; i++) {
        char c = source.data[i];

        if (c == '%') {
            int high = source.len - i > 2 ? hex_digit(source.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(source.data[i + 2]) : -1;

            if (low < 0) {
                text[len] = '\0';
                error_set(err, ERROR_CONFIG, WHAT, SUBJECT,
                          "a %% in the %s is not followed by two hexadecimal digits", part);
                return error_hint(err, "write a literal %% as %%25");
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        text[len++] = c;
    }
    text[len] = '\0';
    if (!is_text((struct slice){ text, len })) {
        error_set(err, ERROR_CONFIG, WHAT, SUBJECT,
                  "the %s holds a control character or is not UTF-8", part);
        return error_hint(err, "check the percent-encoding of the %s", part);
    }
    return 0;
}

/* Cuts *rest before the first byte that is one of stops, and returns what was cut off. */
static struct slice cut(struct slice *rest, const char *stops)
{
    struct slice head = { rest->data, 0 };

    while (head.len < rest->len && strchr(stops, rest->data[head.len]) == NULL)
        head.len++;
    rest->data += head.len;
    rest->len -= head.len;
    return head;
}

static void skip(struct slice *rest, size_t bytes)
{
    rest->data += bytes;
    rest->len -= bytes;
}

/* Reads decimal digits. Returns a number from min to max, or -1. */
static int read_number(struct slice text, int min, int max)
{
    long value = 0;

    if (text.len == 0 || text.len > 9)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value >= min && value <= max ? (int)value : -1;
}

static int parse_scheme(struct amqp_uri *uri, struct slice *rest, struct error *err)
{
    static const char hint[] =
        "write amqp://user@host:5672/vhost, or amqps://user@host:5671/vhost for TLS";

    if (rest->len >= 7 && strncasecmp(rest->data, "amqp://", 7) == 0) {
        uri->port = PORT_PLAIN;
        skip(rest, 7);
        return 0;
    }
    if (rest->len >= 8 && strncasecmp(rest->data, "amqps://", 8) == 0) {
        uri->tls = true;
        uri->port = PORT_TLS;
        skip(rest, 8);
        return 0;
    }
    return bad(err, "it does not begin with amqp:// or amqps://", hint);
}

static int parse_user(struct amqp_uri *uri, struct slice userinfo, struct error *err)
{
    struct slice user = cut(&userinfo, ":");

    if (user.len == 0)
        return bad(err, "the user before the @ is empty", "write user@host or user:password@host");
    if (decode(&uri->user, user, "user", err) != 0)
        return -1;
    if (userinfo.len == 0)
        return 0;
    skip(&userinfo, 1);
    return decode(&uri->password, userinfo, "password", err);
}

static int parse_host(struct amqp_uri *uri, struct slice *rest, struct error *err)
{
    struct slice host;

    if (rest->len > 0 && rest->data[0] == '[') {
        skip(rest, 1);
        host = cut(rest, "]");
        if (rest->len == 0 || host.len == 0)
            return bad(err, "an IPv6 address is not closed with ]", "write amqp://[::1]:5672/");
        skip(rest, 1);
        if (rest->len > 0 && rest->data[0] != ':')
            return bad(err, "there is something between the ] of an IPv6 address and the port",
                       "write amqp://[::1]:5672/");
    } else {
        host = cut(rest, ":");
    }
    if (host.len == 0)
        host = SLICE_LITERAL("localhost");
    return decode(&uri->host, host, "host", err);
}

static int parse_authority(struct amqp_uri *uri, struct slice authority, struct error *err)
{
    static const char hint[] =
        "in user and password write : as %3A, / as %2F, @ as %40, ? as %3F, # as %23";
    const char *at = memchr(authority.data, '@', authority.len);
    int port;

    if (at != NULL) {
        size_t len = (size_t)(at - authority.data);

        if (memchr(at + 1, '@', authority.len - len - 1) != NULL)
            return bad(err, "there is more than one @ before the path", hint);
        if (parse_user(uri, (struct slice){ authority.data, len }, err) != 0)
            return -1;
        skip(&authority, len + 1);
    }
    if (parse_host(uri, &authority, err) != 0)
        return -1;
    if (authority.len == 0)
        return 0;
    skip(&authority, 1);
    port = read_number(authority, 1, 65535);
    if (port < 0)
        return bad(err, "the port is not a number from 1 to 65535", hint);
    uri->port = (uint16_t)port;
    return 0;
}

static int parse_vhost(struct amqp_uri *uri, struct slice path, struct error *err)
{
    if (path.data == NULL)
        path = SLICE_LITERAL("/");
    else if (memchr(path.data, '/', path.len) != NULL)
        return bad(err, "the path has more than one segment",
                   "the path is the vhost; write a / in its name as %2F");
    if (decode(&uri->vhost, path, "vhost", err) != 0)
        return -1;
    if (strlen(uri->vhost) > VHOST_MAX_BYTES)
        return bad(err, "the vhost is longer than 255 bytes", "check the path of the URI");
    return 0;
}

struct parameter {
    const char *name;
    bool tls_only;
    int (*read)(struct amqp_uri *uri, const struct parameter *parameter, struct slice value,
                struct error *err);
    size_t text_offset; /* for read_text(): where its char * is in struct amqp_uri */
};

static int read_text(struct amqp_uri *uri, const struct parameter *parameter, struct slice value,
                     struct error *err)
{
    char **target = (char **)(void *)((char *)uri + parameter->text_offset);

    if (value.len == 0) {
        error_set(err, ERROR_CONFIG, WHAT, SUBJECT, "the parameter %s is empty", parameter->name);
        return error_hint(err, "give it a value or leave it out");
    }
    return decode(target, value, parameter->name, err);
}

static int read_heartbeat(struct amqp_uri *uri, const struct parameter *parameter,
                          struct slice value, struct error *err)
{
    (void)parameter;
    uri->heartbeat_s = read_number(value, 1, HEARTBEAT_MAX_S);
    if (uri->heartbeat_s < 0)
        return bad(err, "heartbeat is not a number of seconds from 1 to 600",
                   "10 to 30 is usual; without heartbeats a dead broker is never noticed");
    return 0;
}

static int read_connect_timeout(struct amqp_uri *uri, const struct parameter *parameter,
                                struct slice value, struct error *err)
{
    (void)parameter;
    uri->connect_timeout_ms = read_number(value, 1, CONNECT_TIMEOUT_MAX_MS);
    if (uri->connect_timeout_ms < 0)
        return bad(err, "connection_timeout is not a number of milliseconds from 1 to 600000",
                   "10000 is usual");
    return 0;
}

static int read_verify(struct amqp_uri *uri, const struct parameter *parameter, struct slice value,
                       struct error *err)
{
    (void)parameter;
    if (slice_is(value, "verify_peer"))
        uri->verify = AMQP_VERIFY_PEER;
    else if (slice_is(value, "verify_none"))
        uri->verify = AMQP_VERIFY_NONE;
    else
        return bad(err, "verify is neither verify_peer nor verify_none",
                   "leave it out to verify certificate and host name");
    return 0;
}

static int read_auth(struct amqp_uri *uri, const struct parameter *parameter, struct slice value,
                     struct error *err)
{
    (void)parameter;
    if (value.len == 5 && strncasecmp(value.data, "plain", 5) == 0)
        uri->auth = AMQP_AUTH_PLAIN;
    else if (value.len == 8 && strncasecmp(value.data, "external", 8) == 0)
        uri->auth = AMQP_AUTH_EXTERNAL;
    else
        return bad(err, "auth_mechanism is neither plain nor external",
                   "external takes the user from the client certificate; leave it out to log in "
                   "with user and password");
    return 0;
}

static const struct parameter PARAMETERS[] = {
    { "cacertfile", true, read_text, offsetof(struct amqp_uri, ca_file) },
    { "certfile", true, read_text, offsetof(struct amqp_uri, cert_file) },
    { "keyfile", true, read_text, offsetof(struct amqp_uri, key_file) },
    { "verify", true, read_verify, 0 },
    { "server_name_indication", true, read_text, offsetof(struct amqp_uri, server_name) },
    { "auth_mechanism", false, read_auth, 0 },
    { "heartbeat", false, read_heartbeat, 0 },
    { "connection_timeout", false, read_connect_timeout, 0 },
};
enum { PARAMETER_COUNT = sizeof(PARAMETERS) / sizeof(PARAMETERS[0]) };

static int parse_parameter(struct amqp_uri *uri, struct slice pair, unsigned *seen,
                           struct error *err)
{
    struct slice name = cut(&pair, "=");

    if (pair.len > 0)
        skip(&pair, 1);
    for (unsigned i = 0; i < PARAMETER_COUNT; i++) {
        const struct parameter *parameter = &PARAMETERS[i];

        if (!slice_is(name, parameter->name))
            continue;
        if ((*seen & (1u << i)) != 0) {
            error_set(err, ERROR_CONFIG, WHAT, SUBJECT, "the parameter %s is given twice",
                      parameter->name);
            return error_hint(err, "remove one of them");
        }
        *seen |= 1u << i;
        if (parameter->tls_only && !uri->tls) {
            error_set(err, ERROR_CONFIG, WHAT, SUBJECT,
                      "the parameter %s needs TLS, and amqp:// is plain text", parameter->name);
            return error_hint(err, "begin with amqps://, or remove the parameter");
        }
        return parameter->read(uri, parameter, pair, err);
    }
    return bad(
        err, "the query has an unknown parameter",
        "the known parameters are cacertfile, certfile, keyfile, verify, server_name_indication, "
        "auth_mechanism, heartbeat and "
        "connection_timeout, separated by &; a ? in a password is written as %3F");
}

static int parse_query(struct amqp_uri *uri, struct slice query, struct error *err)
{
    unsigned seen = 0;

    while (query.len > 0) {
        struct slice pair = cut(&query, "&");

        if (query.len > 0)
            skip(&query, 1);
        if (parse_parameter(uri, pair, &seen, err) != 0)
            return -1;
    }
    if ((uri->cert_file == NULL) != (uri->key_file == NULL))
        return bad(err, "one of certfile and keyfile is missing",
                   "a client certificate needs both");
    if (uri->auth == AMQP_AUTH_EXTERNAL && !uri->tls)
        return bad(err, "auth_mechanism=external needs TLS, and amqp:// is plain text",
                   "begin with amqps://");
    return 0;
}

static int set_defaults(struct amqp_uri *uri, struct error *err)
{
    if (uri->user != NULL)
        return 0;
    uri->user = strdup("guest");
    uri->password = strdup("guest");
    return uri->user == NULL || uri->password == NULL ? error_no_memory(err) : 0;
}

int amqp_uri_parse(struct amqp_uri *uri, const char *text, struct error *err)
{
    struct slice rest = slice_of(text);
    struct slice authority;
    struct slice path = { NULL, 0 };

    *uri = (struct amqp_uri){ 0 };
    if (rest.len == 0)
        return bad(err, "it is empty",
                   "write amqp://user@host:5672/vhost, or amqps://user@host:5671/vhost for TLS");
    if (parse_scheme(uri, &rest, err) != 0)
        return -1;
    authority = cut(&rest, "/?#");
    if (parse_authority(uri, authority, err) != 0)
        return -1;
    if (rest.len > 0 && rest.data[0] == '/') {
        skip(&rest, 1);
        path = cut(&rest, "?#");
    }
    if (parse_vhost(uri, path, err) != 0)
        return -1;
    if (rest.len > 0 && rest.data[0] == '?') {
        skip(&rest, 1);
        if (parse_query(uri, cut(&rest, "#"), err) != 0)
            return -1;
    }
    if (rest.len > 0)
        return bad(err, "it has a fragment (#)", "write a # in user or password as %23");
    return set_defaults(uri, err);
}

void amqp_uri_release(struct amqp_uri *uri)
{
    if (uri->password != NULL)
        explicit_bzero(uri->password, strlen(uri->password));
    free(uri->host);
    free(uri->user);
    free(uri->password);
    free(uri->vhost);
    free(uri->ca_file);
    free(uri->cert_file);
    free(uri->key_file);
    free(uri->server_name);
    *uri = (struct amqp_uri){ 0 };
}
