/*
 * Turns what rabbitmq-c and the broker report into error values: a status of the library
 * (AMQP_STATUS_*), or the reply code and reply text with which the broker closed the channel or the
 * connection.
 */
#ifndef KOPRU_AMQP_ERRORS_H
#define KOPRU_AMQP_ERRORS_H

#include "amqp/library.h"
#include "base/error.h"

/* Each returns -1 and fills err with what failed, on what, why, and what to check. The parameters
   what and subject are the first two. */
int amqp_status_error(struct error *err, const char *what, const char *subject, int status);
int amqp_close_error(struct error *err, const char *what, const char *subject, unsigned reply_code,
                     struct slice reply_text);

/* For a reply that is not AMQP_RESPONSE_NORMAL. */
int amqp_reply_error(struct error *err, const char *what, const char *subject,
                     const amqp_rpc_reply_t *reply);

/* The text for a status, such as "the broker did not answer in time" for AMQP_STATUS_TIMEOUT; never
   NULL. */
const char *amqp_status_text(int status);

#endif
