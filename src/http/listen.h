/*
 * A listening TCP socket for an address as people write it.
 */
#ifndef KOPRU_HTTP_LISTEN_H
#define KOPRU_HTTP_LISTEN_H

#include "base/error.h"

#include <stdbool.h>

/*
 * address is "127.0.0.1:9187", "[::1]:9187" or "host:9187"; a name stands for the first of its
 * addresses that this machine has. Port 0 lets the system choose. Returns the descriptor,
 * non-blocking, or -1: every reason is something to change in the configuration.
 */
int http_listen(const char *address, struct error *err);

/* Whether only this machine can reach it. */
bool http_listens_locally(int fd);

/* The port it listens on. */
int http_listen_port(int fd);

#endif
