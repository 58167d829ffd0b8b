/*
 * TLS to the broker, version 1.2 or newer. OpenSSL verifies the certificate's chain and host name
 * during the handshake. rabbitmq-c 0.11 would check the name by itself, after the handshake, and
 * only against DNS names.
 *
 *     struct amqp_tls tls;
 *
 *     amqp_tls_attach(&tls, state, target, &err)
 *     status = amqp_socket_open_noblock(tls.socket, address, port, timeout)
 *     amqp_tls_explain(&tls, status, &err)   // unless status is AMQP_STATUS_OK
 *     amqp_tls_detach(&tls)                  // before tls goes out of scope
 */
#ifndef KOPRU_AMQP_TLS_H
#define KOPRU_AMQP_TLS_H

#include "amqp/library.h"
#include "amqp/target.h"

struct ssl_st;

struct amqp_tls {
    amqp_socket_t *socket;  /* belongs to the connection */
    struct ssl_st *session; /* the connection's, from the handshake on; rabbitmq-c has no getter */
    const struct amqp_target *target;
    int verify_error;        /* X509_V_OK, or why the certificate was refused */
    char offered_names[256]; /* of the certificate that was refused, for the hint */
};

/* Gives the connection a TLS socket that is not open yet. Returns 0, or -1; detach in any case.
   target must outlive tls. */
int amqp_tls_attach(struct amqp_tls *tls, amqp_connection_state_t state,
                    const struct amqp_target *target, struct error *err);

/* Fills err with the reason of the last failed handshake. Returns -1. */
int amqp_tls_explain(const struct amqp_tls *tls, int status, struct error *err);

/* Takes back what the connection knows of tls. The connection keeps its socket. */
void amqp_tls_detach(struct amqp_tls *tls);

#endif
