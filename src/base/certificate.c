#include "base/certificate.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

enum { NAME_MAX_BYTES = 256 };

/* A certificate comes from the other side, and its names go into a log. */
static void append_name(char *out, size_t size, const unsigned char *name, int len)
{
    char shown[NAME_MAX_BYTES];
    int shown_len = len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES;

    for (int i = 0; i < shown_len; i++)
        shown[i] = name[i] > ' ' && name[i] < 0x7f ? (char)name[i] : '?';
    text_append(out, size, "%s%.*s", out[0] != '\0' ? ", " : "", shown_len, shown);
}

static void append_address(char *out, size_t size, const ASN1_OCTET_STRING *address)
{
    int family = ASN1_STRING_length(address) == sizeof(struct in_addr) ? AF_INET : AF_INET6;
    char shown[INET6_ADDRSTRLEN];

    if ((family == AF_INET || ASN1_STRING_length(address) == sizeof(struct in6_addr)) &&
        inet_ntop(family, ASN1_STRING_get0_data(address), shown, sizeof(shown)) != NULL)
        text_append(out, size, "%s%s", out[0] != '\0' ? ", " : "", shown);
}

static void append_common_name(char *out, size_t size, const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const ASN1_STRING *name =
        at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL;

    if (name != NULL)
        append_name(out, size, ASN1_STRING_get0_data(name), ASN1_STRING_length(name));
}

char *certificate_names(const X509 *certificate, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS)
            append_name(out, size, ASN1_STRING_get0_data(name->d.dNSName),
                        ASN1_STRING_length(name->d.dNSName));
        else if (name->type == GEN_IPADD)
            append_address(out, size, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
    if (out[0] == '\0')
        append_common_name(out, size, certificate);
    return out;
}
