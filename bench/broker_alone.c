/*
 * Measures the limit of the broker: consumes a number of messages with kopru's AMQP layer and
 * acknowledges them, and does nothing else.
 *
 *     broker_alone URI QUEUE PREFETCH ACK_EVERY COUNT
 *
 * It acknowledges every ACK_EVERY messages at once, as kopru acknowledges a batch. It exits with 0
 * after COUNT messages, when the connection has been closed; the broker answers that only after it
 * has handled the last acknowledgement.
 */
#include "source.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    struct source source = { 0 };
    struct error err;
    unsigned long ack_every;
    unsigned long count;
    unsigned long taken = 0;

    if (argc != 6) {
        (void)fputs("broker_alone: usage: broker_alone URI QUEUE PREFETCH ACK_EVERY COUNT\n",
                    stderr);
        return EXIT_FAILURE;
    }
    ack_every = strtoul(argv[4], NULL, 10);
    count = strtoul(argv[5], NULL, 10);
    if (ack_every == 0 || source_open(&source, argv[1], argv[2], atoi(argv[3]), &err) != 0)
        return source_fail("broker_alone", &err), EXIT_FAILURE;
    while (taken < count) {
        struct delivery *delivery;
        int got = source.broker.next(source.consumer, -1, 1000, &delivery, &err);
        int acked = 0;

        if (got < 0)
            return source_fail("broker_alone", &err), EXIT_FAILURE;
        if (got == 0)
            continue;
        taken++;
        if (taken % ack_every == 0 || taken == count)
            acked = source.broker.ack(source.consumer, delivery->tag, &err);
        delivery_free(delivery);
        if (acked != 0)
            return source_fail("broker_alone", &err), EXIT_FAILURE;
    }
    source.broker.close(source.consumer);
    return EXIT_SUCCESS;
}
