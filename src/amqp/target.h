/*
 * Where a connection goes and how, after everything has been read and decided: the URI is parsed,
 * the password file is read, and each value comes from the URI or from the endpoint. The URI wins,
 * because the defaults of the endpoint's fields look the same as a person's choice.
 */
#ifndef KOPRU_AMQP_TARGET_H
#define KOPRU_AMQP_TARGET_H

#include "amqp/consumer.h"
#include "amqp/uri.h"

#include <stdbool.h>

enum { AMQP_TARGET_NAME_BYTES = 256 };

struct amqp_target {
    struct amqp_uri uri;
    char *password;        /* from the file or the URI; NULL for EXTERNAL */
    const char *ca_file;   /* NULL: the system's store */
    const char *cert_file; /* NULL: no client certificate */
    const char *key_file;
    char *tls_name; /* the name that the broker's certificate must have */
    bool send_sni;
    bool verify_peer;
    int heartbeat_s;
    int connect_timeout_ms;
    int rpc_timeout_ms;
    char name[AMQP_TARGET_NAME_BYTES]; /* for logs and errors, without the password:
                                          amqps://user@host:port/vhost */
};

/* Fails with ERROR_CONFIG when the URI cannot be used or a file cannot be read. The strings of the
   endpoint must outlive the target. Release in both cases. */
int amqp_target_init(struct amqp_target *target, const struct amqp_endpoint *endpoint,
                     struct error *err);

/* Overwrites the password. */
void amqp_target_release(struct amqp_target *target);

#endif
