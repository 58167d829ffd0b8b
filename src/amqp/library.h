/* The headers of rabbitmq-c. Version 0.12 moved them, and warns when the old names are used. */
#ifndef KOPRU_AMQP_LIBRARY_H
#define KOPRU_AMQP_LIBRARY_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#include "base/slice.h"

static inline struct slice amqp_bytes_slice(amqp_bytes_t bytes)
{
    return (struct slice){ bytes.bytes, bytes.len };
}

#endif
