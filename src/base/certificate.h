/*
 * The names for which a certificate was made, for people who have to find out why a host is not
 * among them.
 */
#ifndef KOPRU_BASE_CERTIFICATE_H
#define KOPRU_BASE_CERTIFICATE_H

#include <openssl/x509.h>
#include <stddef.h>

/* Writes "db1.example.com, 10.0.0.7" into out: the DNS names and the addresses among the subject
   alternative names, or the common name where there is none of these. Characters other than
   printable ASCII become "?". Returns out, which is "" for a certificate without any name. */
char *certificate_names(const X509 *certificate, char *out, size_t size);

#endif
