#include "base/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char DIGITS[] = "0123456789";

static bool has_brackets(struct slice host)
{
    return host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
}

const char *address_parse(struct address *out, const char *text)
{
    const char *colon = strrchr(text, ':');
    struct slice host;
    long port;

    if (colon == NULL)
        return "it is not host:port";
    host = (struct slice){ text, (size_t)(colon - text) };
    if (has_brackets(host))
        host = (struct slice){ host.data + 1, host.len - 2 };
    else if (memchr(host.data, ':', host.len) != NULL)
        return "an IPv6 address must stand in brackets";
    if (host.len == 0)
        return "it is not host:port";
    if (host.len >= sizeof(out->host))
        return "the host is longer than 255 bytes";
    if (colon[1] == '\0' || colon[1 + strspn(colon + 1, DIGITS)] != '\0')
        return "the port is not a number";
    port = strtol(colon + 1, NULL, 10);
    if (port > 65535)
        return "the port is not 1 to 65535";
    memcpy(out->host, host.data, host.len);
    out->host[host.len] = '\0';
    out->port = (int)port;
    return NULL;
}

const char *address_look_up(const struct address *address, struct addrinfo **found)
{
    const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    char port[8];
    int problem;

    snprintf(port, sizeof(port), "%d", address->port);
    problem = getaddrinfo(address->host, port, &wanted, found);
    if (problem == 0)
        return NULL;
    return problem == EAI_SYSTEM ? strerror(errno) : gai_strerror(problem);
}

/* A host name may begin with "127." too, and belongs to whoever registered it. */
static bool is_ipv4_loopback(struct slice host)
{
    if (host.len < 4 || memcmp(host.data, "127.", 4) != 0)
        return false;
    for (size_t i = 4; i < host.len; i++)
        if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9'))
            return false;
    return true;
}

bool address_is_loopback(struct slice host)
{
    return slice_is(host, "localhost") || slice_is(host, "::1") || is_ipv4_loopback(host);
}
