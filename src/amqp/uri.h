/*
 * An AMQP URI with RabbitMQ's query parameters. rabbitmq-c's own parser refuses every query and
 * every upper-case scheme, and its only explanation is "bad URL".
 *
 *     amqps://user:password@host:port/vhost?heartbeat=20&cacertfile=/etc/ca.pem
 *
 * A URI that ends after the scheme means guest:guest@localhost and the vhost "/"; a path of "/"
 * alone means the vhost with the empty name. In every part %XX stands for a byte. An error never
 * quotes a piece of the URI, because with an unescaped / or @ the password can end up in any piece.
 */
#ifndef KOPRU_AMQP_URI_H
#define KOPRU_AMQP_URI_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum amqp_verify { AMQP_VERIFY_UNSET, AMQP_VERIFY_PEER, AMQP_VERIFY_NONE };
enum amqp_auth { AMQP_AUTH_PLAIN, AMQP_AUTH_EXTERNAL };

struct amqp_uri {
    bool tls;
    char *host; /* without the brackets of an IPv6 address */
    uint16_t port;
    char *user;
    char *password; /* NULL: a user without a password */
    char *vhost;

    /* The query parameters; NULL, 0 or UNSET where the URI does not have them. */
    char *ca_file;           /* cacertfile */
    char *cert_file;         /* certfile */
    char *key_file;          /* keyfile */
    char *server_name;       /* server_name_indication; "disable" sends none */
    int heartbeat_s;         /* heartbeat, 1 to 600 */
    int connect_timeout_ms;  /* connection_timeout, 1 to 600000 */
    enum amqp_verify verify; /* verify */
    enum amqp_auth auth;     /* auth_mechanism */
};

/* Returns 0, or -1 with err of kind ERROR_CONFIG. Release in any case. */
int amqp_uri_parse(struct amqp_uri *uri, const char *text, struct error *err);

/* Overwrites the password. */
void amqp_uri_release(struct amqp_uri *uri);

#endif
