/*
 * One queue with its writers, between the scripted ends of fakes.h, for tests of what the writers'
 * threads call. Those threads are not started.
 */
#ifndef KOPRU_TESTS_BRIDGE_FAKE_QUEUE_H
#define KOPRU_TESTS_BRIDGE_FAKE_QUEUE_H

#include "fakes.h"

struct fake_queue {
    struct fakes fakes;
    struct doorbell keeper;
    struct queue queue;
    struct writers writers;
    struct write_session *session;      /* of the first writer */
    struct message *messages[FAKE_MAX]; /* of fake_queue_message(), in that order */
    size_t message_count;
};

void fake_queue_init(struct fake_queue *fake, const struct write_settings *settings);
void fake_queue_release(struct fake_queue *fake);

/* The next message of that body; it belongs to the queue. */
struct message *fake_queue_message(struct fake_queue *fake, const char *body);

/* Waits until the first writer is to try a quarantined entity again, and lets it. Fails the test
   when that does not come within some seconds. */
void fake_queue_try_next(struct fake_queue *fake);

#endif
