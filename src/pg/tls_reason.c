#include "pg/tls_reason.h"

#include "base/certificate.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The limit for connecting, for sending and for receiving, in seconds. The daemon is only waiting
   to try again, but somebody waits for `kopru check`. */
enum { STEP_TIMEOUT_S = 2 };

/* Returns a socket, or -1 when nobody answers in time. */
static int connect_to(const char *address, const char *port)
{
    const struct timeval timeout = { .tv_sec = STEP_TIMEOUT_S };
    const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM,
                                     .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    int fd = -1;

    if (getaddrinfo(address, port, &wanted, &found) != 0)
        return -1;
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
                    connect(fd, found->ai_addr, found->ai_addrlen) != 0)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

/* PostgreSQL begins in plain text: the client sends the code 80877103, and the server answers S
   when it is ready for TLS, else N. */
static bool ask_for_tls(int fd)
{
    static const char request[] = { 0, 0, 0, 8, 0x04, (char)0xd2, 0x16, 0x2f };
    char answer;

    return send(fd, request, sizeof(request), MSG_NOSIGNAL) == (ssize_t)sizeof(request) &&
           recv(fd, &answer, 1, 0) == 1 && answer == 'S';
}

/* Completes the handshake whatever the certificate is. Returns NULL when there was none; the
   session and the socket belong to the caller. */
static SSL *shake_hands(SSL_CTX *context, const char *address, const char *port, int *fd)
{
    SSL *ssl = NULL;

    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    *fd = connect_to(address, port);
    if (*fd < 0 || !ask_for_tls(*fd))
        return NULL;
    ssl = SSL_new(context);
    if (ssl != NULL && SSL_set_fd(ssl, *fd) == 1 && SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static void drop(SSL_CTX *context, SSL *ssl, int fd)
{
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
    SSL_CTX_free(context);
}

bool pg_tls_reason(const char *address, const char *port, const char *ca_file, char *out,
                   size_t size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    long result = X509_V_OK;
    int fd = -1;

    if (context != NULL && SSL_CTX_load_verify_locations(context, ca_file, NULL) == 1)
        ssl = shake_hands(context, address, port, &fd);
    if (ssl != NULL)
        result = SSL_get_verify_result(ssl);
    snprintf(out, size, "%s", X509_verify_cert_error_string(result));
    drop(context, ssl, fd);
    return result != X509_V_OK;
}

bool pg_tls_names(const char *address, const char *port, char *out, size_t size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    X509 *certificate;
    int fd = -1;

    if (context != NULL)
        ssl = shake_hands(context, address, port, &fd);
    certificate = ssl != NULL ? SSL_get1_peer_certificate(ssl) : NULL;
    if (certificate != NULL)
        certificate_names(certificate, out, size);
    X509_free(certificate);
    drop(context, ssl, fd);
    return certificate != NULL;
}
