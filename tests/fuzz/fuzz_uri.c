/*
 * The broker's address. What is accepted can be written again from its parts; an error never
 * depends on the letters of user, password, host or vhost, so it cannot repeat any of them.
 */
#include "amqp/uri.h"
#include "fuzz.h"

#include "base/buffer.h"
#include "base/utf8.h"

#include <ctype.h>
#include <stdlib.h>

static void append_encoded(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++)
        buffer_append_format(out, "%%%02X", (unsigned char)*text);
}

static void append_parameter(struct buffer *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buffer_append_text(out, name);
    append_encoded(out, value);
}

/* Every part encoded, every parameter spelled out. */
static void write_again(const struct amqp_uri *uri, struct buffer *out)
{
    static const char *const verify[] = { NULL, "verify_peer", "verify_none" };

    buffer_append_text(out, uri->tls ? "AMQPS://" : "amqp://");
    append_encoded(out, uri->user);
    if (uri->password != NULL) {
        buffer_append_byte(out, ':');
        append_encoded(out, uri->password);
    }
    buffer_append_byte(out, '@');
    append_encoded(out, uri->host);
    buffer_append_format(out, ":%u/", uri->port);
    append_encoded(out, uri->vhost);
    buffer_append_text(out, "?auth_mechanism=");
    buffer_append_text(out, uri->auth == AMQP_AUTH_EXTERNAL ? "external" : "plain");
    append_parameter(out, "&cacertfile=", uri->ca_file);
    append_parameter(out, "&certfile=", uri->cert_file);
    append_parameter(out, "&keyfile=", uri->key_file);
    append_parameter(out, "&server_name_indication=", uri->server_name);
    if (uri->heartbeat_s > 0)
        buffer_append_format(out, "&heartbeat=%d", uri->heartbeat_s);
    if (uri->connect_timeout_ms > 0)
        buffer_append_format(out, "&connection_timeout=%d", uri->connect_timeout_ms);
    if (uri->verify != AMQP_VERIFY_UNSET) {
        buffer_append_text(out, "&verify=");
        buffer_append_text(out, verify[uri->verify]);
    }
    REQUIRE(!buffer_failed(out));
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void require_same(const struct amqp_uri *a, const struct amqp_uri *b)
{
    REQUIRE(a->tls == b->tls && a->port == b->port && a->verify == b->verify && a->auth == b->auth);
    REQUIRE(a->heartbeat_s == b->heartbeat_s && a->connect_timeout_ms == b->connect_timeout_ms);
    REQUIRE(same(a->host, b->host) && same(a->user, b->user) && same(a->password, b->password) &&
            same(a->vhost, b->vhost));
    REQUIRE(same(a->ca_file, b->ca_file) && same(a->cert_file, b->cert_file) &&
            same(a->key_file, b->key_file));
    REQUIRE(same(a->server_name, b->server_name));
}

static void require_accepted(const struct amqp_uri *uri)
{
    struct amqp_uri again;
    struct buffer text;
    struct error err;

    REQUIRE(uri->host != NULL && uri->host[0] != '\0');
    REQUIRE(uri->user != NULL && uri->vhost != NULL);
    REQUIRE(strlen(uri->vhost) <= 255);
    REQUIRE(uri->port > 0);
    REQUIRE(uri->heartbeat_s >= 0 && uri->heartbeat_s <= 600);
    REQUIRE(uri->connect_timeout_ms >= 0 && uri->connect_timeout_ms <= 600000);
    require_text(slice_of(uri->host));
    require_text(slice_of(uri->user));
    require_text(slice_of(uri->vhost));
    buffer_init(&text, 1 << 20);
    write_again(uri, &text);
    REQUIRE(amqp_uri_parse(&again, text.data, &err) == 0);
    require_same(uri, &again);
    amqp_uri_release(&again);
    buffer_release(&text);
}

/* Another letter for each letter of what can be secret: between the scheme and the query, but for
   percent escapes. */
static void disguise(char *text)
{
    char *at = strstr(text, "://");

    for (at = at != NULL ? at + 3 : text + strlen(text); *at != '\0' && *at != '?'; at++) {
        if (*at == '%' && at[1] != '\0' && at[2] != '\0')
            at += 2;
        else if (isalpha((unsigned char)*at))
            *at = *at == 'z' ? 'a' : *at == 'Z' ? 'A' : (char)(*at + 1);
    }
}

static void require_refused(const char *text, const struct error *err)
{
    char *disguised = fuzz_copy(text, strlen(text) + 1);
    struct amqp_uri uri;
    struct error other;

    REQUIRE(err->kind == ERROR_CONFIG);
    REQUIRE(err->why[0] != '\0' && err->hint[0] != '\0');
    disguise(disguised);
    REQUIRE(amqp_uri_parse(&uri, disguised, &other) == -1);
    amqp_uri_release(&uri);
    REQUIRE(strcmp(err->what, other.what) == 0 && strcmp(err->subject, other.subject) == 0);
    REQUIRE(strcmp(err->why, other.why) == 0 && strcmp(err->hint, other.hint) == 0);
    free(disguised);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct amqp_uri uri;
    struct error err;

    REQUIRE(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (amqp_uri_parse(&uri, text, &err) == 0)
        require_accepted(&uri);
    else
        require_refused(text, &err);
    amqp_uri_release(&uri);
    free(text);
    return 0;
}
