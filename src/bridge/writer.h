/*
 * A writer: takes all that waits for it, up to a batch, and writes it until it is committed or the
 * subscription is gone. What fails alone is set aside meanwhile (suspects.h). It never waits for a
 * batch to fill: a batch is what gathered while the last one was committed.
 */
#ifndef KOPRU_BRIDGE_WRITER_H
#define KOPRU_BRIDGE_WRITER_H

#include "bridge/stream.h"

/* The thread; argument is a struct writer. */
void *writer_main(void *argument);

/* The writer of a message: the same id goes to the same writer always, so that order holds per
   entity. */
struct writer *writer_for(struct stream *stream, const struct message *message);

/* Appends messages, linked by `next`, in order of arrival. A leading run must come in one call. */
void writer_enqueue(struct writer *writer, struct message *first, struct message *last);

#endif
