/*
 * Network addresses as people write them: "host:port", and the names by which a machine reaches
 * itself.
 */
#ifndef KOPRU_BASE_ADDRESS_H
#define KOPRU_BASE_ADDRESS_H

#include "base/slice.h"

#include <netdb.h>

struct address {
    char host[256]; /* a name or an address; an IPv6 address without its brackets */
    int port;       /* 0 to 65535 */
};

/* Reads "host:port" or "[::1]:port". Returns NULL, or what is wrong with the text, as a clause for
   an error ("the port is not a number"); *out is undefined then. */
const char *address_parse(struct address *out, const char *text);

/* Asks the system for the stream sockets' addresses of host and port, which takes as long as its
   resolver lets it. Returns NULL with *found, which the caller gives to freeaddrinfo(), or why
   there are none, in the system's words. */
const char *address_look_up(const struct address *address, struct addrinfo **found);

/* Whether the host is this machine itself: "localhost", an IPv4 address that begins with 127, or
   "::1". It looks at the text only and asks no name service. */
bool address_is_loopback(struct slice host);

#endif
