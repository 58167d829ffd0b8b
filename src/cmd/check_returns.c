#include "cmd/check_returns.h"

#include "model/returns.h"

/*
 * AMQP shows neither the arguments nor the policy of a queue, so whether its owner set another
 * limit, or a dead-letter exchange, is for a person to look up. The question for the type ends its
 * channel, so it gets a connection of its own.
 */

/* Returns 1 for a quorum queue, 0 for another type, -1 if the broker does not say. */
static int ask_type(const struct amqp_endpoint *endpoint, const char *queue)
{
    struct broker_port port = amqp_broker_port(endpoint);
    void *consumer = NULL;
    bool is_quorum = false;
    struct error err;
    int result;

    if (port.open(port.context, &consumer, &err) != 0)
        return -1;
    result = amqp_consumer_is_quorum(consumer, queue, &is_quorum, &err);
    port.close(consumer);
    return result == 0 ? is_quorum : -1;
}

void check_returns(const struct amqp_endpoint *endpoint, const struct amqp_broker *broker,
                   const char *queue, struct error_list *warnings)
{
    struct error err;
    int is_quorum;

    if (!amqp_broker_has_defaults_of_4(broker))
        return;
    is_quorum = ask_type(endpoint, queue);
    if (is_quorum == 0)
        return;
    error_set(
        &err, ERROR_PROBLEMS, "the broker may drop messages that came back often", queue,
        "%s of RabbitMQ %s has a delivery-limit of %d unless its owner set another: a message "
        "that comes back once more is dropped, or dead-lettered if there is an exchange",
        is_quorum > 0 ? "it is a quorum queue, which" : "if it is a quorum queue, that",
        broker->version, RETURNS_LIMIT);
    error_hint(
        &err, "AMQP does not show the limit: look with rabbitmqctl list_queues name type arguments "
              "effective_policy_definition; recommended is a policy with delivery-limit -1, or a "
              "dead-letter-exchange (docs/operations.md)");
    error_list_add(warnings, &err);
}
