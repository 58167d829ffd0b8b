/*
 * Why the certificate of a PostgreSQL server is refused. libpq says "certificate verify failed" and
 * no more, so the handshake is made once again, for its verdict alone: nothing but the request for
 * TLS is sent, no name and no password.
 */
#ifndef KOPRU_PG_TLS_REASON_H
#define KOPRU_PG_TLS_REASON_H

#include <stdbool.h>
#include <stddef.h>

/* Writes OpenSSL's words ("certificate has expired") into out; false when there is no telling.
   Takes some seconds at most. address is a numeric one, ca_file that of sslrootcert. */
bool pg_tls_reason(const char *address, const char *port, const char *ca_file, char *out,
                   size_t size);

#endif
