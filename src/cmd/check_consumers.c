#include "cmd/check_consumers.h"

#include "base/clock.h"
#include "pg/lease.h"

#include <poll.h>

/*
 * AMQP tells how many consumers a queue has and not who they are. The broker and the table are
 * asked one after the other, and a daemon subscribes before it says so in its row. So a difference
 * counts only if it lasts.
 */

enum { LOOK_AGAIN_MS = 200 };

struct look {
    uint32_t consumers;
    struct lease lease;
};

static int take_look(const struct amqp_endpoint *endpoint, struct pg_conn *conn, const char *queue,
                     struct look *look)
{
    struct broker_port broker = amqp_broker_port(endpoint);
    struct broker_queue_state state;
    struct pg_failure failure;
    void *consumer = NULL;
    struct error err;
    int result = broker.open(broker.context, &consumer, &err);

    if (result == 0)
        result = broker.inspect(consumer, queue, &state, &err);
    if (consumer != NULL)
        broker.close(consumer);
    if (result != 0 || pg_lease_look(conn, queue, &look->lease, &failure) != 0)
        return -1;
    look->consumers = state.consumers;
    return 0;
}

/* How many of the consumers are kopru's. The row of a holder that lives changes with each renewal;
   one that died may have left that it consumes. */
static uint32_t own_consumers(const struct look *look, const struct look *first)
{
    return look->lease.state == LEASE_STATE_CONSUMING && look->lease.version != first->lease.version
               ? 1
               : 0;
}

static void name_others(const char *queue, const struct look *look, uint32_t own,
                        struct error_list *problems)
{
    struct error err;

    error_set(&err, ERROR_PROBLEMS, "somebody else consumes the queue", queue,
              "it has %u consumer%s, and %s", look->consumers, look->consumers == 1 ? "" : "s",
              own == 1 ? "only one is a kopru that holds its lease"
                       : "no kopru consumes it by its row in kopru.queues");
    error_hint(&err,
               "find it with rabbitmqctl list_consumers and stop it: its share of the messages "
               "never reaches the tables, and beside an exclusive consumer kopru gets none");
    error_list_add(problems, &err);
}

static void check_queue(const struct amqp_endpoint *endpoint, struct pg_conn *conn,
                        const char *queue, struct error_list *problems)
{
    int64_t deadline_ms = clock_monotonic_ms() + CHECK_CONSUMERS_MS;
    struct look first;
    struct look look;
    uint32_t own;

    if (take_look(endpoint, conn, queue, &first) != 0)
        return; /* the rest of the check says why */
    for (;;) {
        if (take_look(endpoint, conn, queue, &look) != 0)
            return;
        own = own_consumers(&look, &first);
        if (look.consumers <= own)
            return;
        if (clock_left_ms(deadline_ms) == 0)
            break;
        poll(NULL, 0, LOOK_AGAIN_MS);
    }
    name_others(queue, &look, own, problems);
}

void check_consumers(const struct settings *settings, const struct amqp_endpoint *endpoint,
                     struct pg_conn *conn, const uint32_t *counted, struct error_list *problems)
{
    for (size_t i = 0; i < settings->queue_count; i++)
        if (counted[i] > 0)
            check_queue(endpoint, conn, settings->queues[i].name, problems);
}
