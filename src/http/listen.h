/*
 * A listening TCP socket for an address that an operator wrote into the configuration.
 */
#ifndef KOPRU_HTTP_LISTEN_H
#define KOPRU_HTTP_LISTEN_H

#include "base/error.h"

#include <stdbool.h>

/*
 * The address is "127.0.0.1:9187", "[::1]:9187" or "host:9187"; a host name stands for the first of
 * its addresses that this machine has. With port 0 the system chooses a port. Returns the
 * descriptor, which is non-blocking, or -1 with err of kind ERROR_CONFIG: whatever the reason, the
 * operator has something to change.
 */
int http_listen(const char *address, struct error *err);

/* Whether only this machine can reach the socket. */
bool http_listens_locally(int fd);

/* The port on which the socket listens; 0 if the system does not tell. */
int http_listen_port(int fd);

#endif
