/*
 * Why the certificate of a PostgreSQL server is refused. libpq says only "certificate verify
 * failed", and of several names it says only one, so the handshake is repeated to get OpenSSL's
 * verdict, or all names. Nothing is sent but the request for TLS, neither a name nor a password.
 */
#ifndef KOPRU_PG_TLS_REASON_H
#define KOPRU_PG_TLS_REASON_H

#include <stdbool.h>
#include <stddef.h>

/* Writes OpenSSL's words ("certificate has expired") into out, at most size bytes with the NUL.
   Returns false when there is nothing to tell: the server cannot be reached, has no TLS, or its
   certificate is in order. Blocks for a few seconds at most. address and port are numeric, ca_file
   is the file that sslrootcert names. */
bool pg_tls_reason(const char *address, const char *port, const char *ca_file, char *out,
                   size_t size);

/* Writes the names for which the server's certificate was made into out (base/certificate.h).
   Returns false when the server cannot be reached or has no TLS. Blocks for a few seconds at
   most. */
bool pg_tls_names(const char *address, const char *port, char *out, size_t size);

#endif
