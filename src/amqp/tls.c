#include "amqp/tls.h"

#include "amqp/errors.h"
#include "base/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>

/*
 * rabbitmq-c hands out the SSL_CTX of its TLS socket and nothing else, so what is missing there is
 * added by two callbacks of the context. One notes why a certificate was refused, which the library
 * forgets when it frees the session. The other puts the right server name into the handshake, where
 * the library would send the numeric address that it dials, and notes the session, which
 * frame_receiver.h reads from.
 */

static const char WHAT[] = "cannot connect to the broker over TLS";

static SSL_CTX *context_of(const struct amqp_tls *tls)
{
    return amqp_ssl_socket_get_context(tls->socket);
}

static bool is_address(const char *name)
{
    struct in6_addr address;

    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

/* Notes why a certificate is refused: rabbitmq-c frees the session that knows it. */
static int note_verify_error(int is_ok, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct amqp_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (!is_ok && tls != NULL) {
        tls->verify_error = X509_STORE_CTX_get_error(store);
        certificate_names(X509_STORE_CTX_get_current_cert(store), tls->offered_names,
                          sizeof(tls->offered_names));
    }
    return is_ok;
}

/* Sets the server name (SNI) as the handshake begins, and notes the session. rabbitmq-c has set the
   name that it connects to, which here is an address. */
static void announce_name(const SSL *ssl, int where, int value)
{
    struct amqp_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    char *name;

    (void)value;
    if ((where & SSL_CB_HANDSHAKE_START) == 0 || tls == NULL)
        return;
    /* The session is const only because the callback's type says so. */
    tls->session = (SSL *)(uintptr_t)ssl;
    name =
        tls->target->send_sni && !is_address(tls->target->tls_name) ? tls->target->tls_name : NULL;
    SSL_set_tlsext_host_name(tls->session, name); /* a proxy before the broker may need it */
}

static int refuse(struct error *err, const char *what, const char *subject)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    error_set(err, ERROR_CONFIG, what, subject, "%s",
              reason != NULL ? reason : "OpenSSL does not say why");
    return error_hint(
        err,
        "it must be in PEM format; a key must have no passphrase and belong to the certificate");
}

static int expect_name(SSL_CTX *context, const char *name, struct error *err)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    int ok = is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(param, name)
                              : X509_VERIFY_PARAM_set1_host(param, name, 0);

    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return ok == 1 ? 0 : error_no_memory(err);
}

static int set_trust(struct amqp_tls *tls, struct error *err)
{
    const struct amqp_target *target = tls->target;
    SSL_CTX *context = context_of(tls);

    amqp_ssl_socket_set_verify_hostname(tls->socket, 0); /* expect_name() does it better */
    amqp_ssl_socket_set_verify_peer(tls->socket, target->verify_peer);
    if (!target->verify_peer)
        return 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_verify_error);
    if (expect_name(context, target->tls_name, err) != 0)
        return -1;
    if (target->ca_file == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1
                   ? 0
                   : refuse(err, "cannot load the system's CA certificates", NULL);
    if (amqp_ssl_socket_set_cacert(tls->socket, target->ca_file) != AMQP_STATUS_OK)
        return refuse(err, "cannot load the CA certificates for the broker", target->ca_file);
    return 0;
}

int amqp_tls_attach(struct amqp_tls *tls, amqp_connection_state_t state,
                    const struct amqp_target *target, struct error *err)
{
    SSL_CTX *context;

    *tls = (struct amqp_tls){ .target = target, .verify_error = X509_V_OK };
    ERR_clear_error();
    tls->socket = amqp_ssl_socket_new(state);
    if (tls->socket == NULL)
        return error_no_memory(err);
    context = context_of(tls);
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_info_callback(context, announce_name);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
        return refuse(err, "cannot require TLS 1.2", NULL);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    if (set_trust(tls, err) != 0)
        return -1;
    if (target->cert_file != NULL &&
        amqp_ssl_socket_set_key(tls->socket, target->cert_file, target->key_file) != AMQP_STATUS_OK)
        return refuse(err, "cannot load the client certificate for the broker", target->cert_file);
    return 0;
}

static int hint_verify(const struct amqp_tls *tls, struct error *err)
{
    switch (tls->verify_error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return error_hint(err,
                          "amqp.uri asks for %s, and the broker's certificate was made for %s: "
                          "correct the host, or have a certificate made for it",
                          tls->target->tls_name,
                          tls->offered_names[0] != '\0' ? tls->offered_names : "no name");
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return error_hint(err, "renew the broker's certificate, or correct this machine's clock");
    default:
        return error_hint(err,
                          "amqp.ca_file must hold the CA that signed the broker's certificate");
    }
}

int amqp_tls_explain(const struct amqp_tls *tls, int status, struct error *err)
{
    if (tls->verify_error != X509_V_OK) {
        error_set(err, ERROR_UNAVAILABLE, WHAT, tls->target->name,
                  "the broker's certificate is refused: %s",
                  X509_verify_cert_error_string(tls->verify_error));
        return hint_verify(tls, err);
    }
    if (status == AMQP_STATUS_SSL_CONNECTION_FAILED && ERR_peek_last_error() == 0) {
        error_set(err, ERROR_UNAVAILABLE, WHAT, tls->target->name,
                  "the other side closed the connection during the handshake");
        return error_hint(err, "check that the port speaks TLS");
    }
    return amqp_status_error(err, WHAT, tls->target->name, status);
}

void amqp_tls_detach(struct amqp_tls *tls)
{
    SSL_CTX *context;

    if (tls->socket == NULL)
        return;
    context = context_of(tls);
    SSL_CTX_set_info_callback(context, NULL);
    SSL_CTX_set_app_data(context, NULL);
}
