/*
 * Asks an HTTP server on this machine for one path, as a health check does.
 *
 *     buffer_init(&body, MAX_BYTES);
 *     if (http_get("127.0.0.1:9187", "/livez", 5000, &status, &body, &err) != 0)
 *         ... nobody answered, see err
 *     buffer_release(&body);
 */
#ifndef KOPRU_HTTP_CLIENT_H
#define KOPRU_HTTP_CLIENT_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * The address is what http_listen() takes. A server that listens on every address of the machine,
 * such as "0.0.0.0:9187", is asked on the loopback.
 *
 * Returns 0 with the status, whichever it is, and what has come of the body, which is cut where the
 * buffer is full. Returns -1 with err of kind ERROR_UNAVAILABLE if no answer in HTTP came within
 * timeout_ms, and of kind ERROR_CONFIG if the address is none. A host name is looked up before
 * that, which takes as long as the system's resolver lets it.
 */
int http_get(const char *address, const char *path, int timeout_ms, int *status,
             struct buffer *body, struct error *err);

#endif
