/*
 * The consumer thread of a queue: waits for the place, subscribes, holds the leading run of
 * redelivered messages, maps deliveries, hands them to the writers, acknowledges what is committed.
 * It never waits for SQL while it is subscribed, so heartbeats and cancellation work during an
 * outage of the database.
 */
#ifndef KOPRU_BRIDGE_CONSUMER_H
#define KOPRU_BRIDGE_CONSUMER_H

/* The thread; argument is a struct stream. */
void *consumer_main(void *argument);

#endif
