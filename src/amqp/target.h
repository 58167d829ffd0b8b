/*
 * An endpoint, resolved: the URI is parsed, the password file read, and every value is chosen. What
 * the URI says wins over the fields of the endpoint, because their defaults cannot be told from a
 * choice.
 */
#ifndef KOPRU_AMQP_TARGET_H
#define KOPRU_AMQP_TARGET_H

#include "amqp/consumer.h"
#include "amqp/uri.h"

#include <stdbool.h>

enum { AMQP_TARGET_NAME_BYTES = 256 };

struct amqp_target {
    struct amqp_uri uri;
    char *password;        /* of the file or the URI; NULL for EXTERNAL */
    const char *ca_file;   /* NULL: the system's store */
    const char *cert_file; /* NULL: no client certificate */
    const char *key_file;
    char *tls_name; /* the name the certificate must have */
    bool send_sni;
    bool verify_peer;
    int heartbeat_s;
    int connect_timeout_ms;
    int rpc_timeout_ms;
    char name[AMQP_TARGET_NAME_BYTES]; /* amqps://user@host:port/vhost, for messages: without the
                                          password */
};

/* Fails with ERROR_CONFIG when the URI cannot be used or a file cannot be read. The strings of the
   endpoint must outlive the target. Release in both cases. */
int amqp_target_init(struct amqp_target *target, const struct amqp_endpoint *endpoint,
                     struct error *err);

/* Overwrites the password. */
void amqp_target_release(struct amqp_target *target);

#endif
