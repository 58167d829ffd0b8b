#include "bridge/consume/unacked.h"

/*
 * Messages stay in order of arrival, because AMQP acknowledges everything up to a tag: one frame
 * then covers all committed messages at the front. The list goes through the messages themselves,
 * so that a delivery costs no further allocation and taking one out of the middle costs no search.
 */

void unacked_init(struct unacked *unacked)
{
    *unacked = (struct unacked){ 0 };
}

void unacked_add(struct unacked *unacked, struct message *message)
{
    message->position = unacked->arrivals++;
    message->bytes = sizeof(*message) + message->delivery->bytes + message->arena.used_bytes;
    if (unacked->youngest != NULL)
        unacked->youngest->younger = message;
    else
        unacked->oldest = message;
    unacked->youngest = message;
    unacked->count++;
    unacked->bytes += message->bytes;
}

static void drop_oldest(struct unacked *unacked)
{
    struct message *message = unacked->oldest;

    unacked->oldest = message->younger;
    if (unacked->oldest == NULL)
        unacked->youngest = NULL;
    unacked->count--;
    unacked->bytes -= message->bytes;
    message_free(message);
}

bool unacked_take_committed(struct unacked *unacked, uint64_t *tag)
{
    bool any = false;

    while (unacked->oldest != NULL && atomic_load(&unacked->oldest->committed)) {
        *tag = unacked->oldest->delivery->tag;
        any = true;
        drop_oldest(unacked);
    }
    return any;
}

size_t unacked_take_committed_behind(struct unacked *unacked, uint64_t *tags, size_t max)
{
    struct message *before = unacked->oldest;
    size_t count = 0;

    while (before != NULL && before->younger != NULL && count < max) {
        struct message *message = before->younger;

        if (!atomic_load(&message->committed)) {
            before = message;
            continue;
        }
        tags[count++] = message->delivery->tag;
        before->younger = message->younger;
        if (unacked->youngest == message)
            unacked->youngest = before;
        unacked->count--;
        unacked->bytes -= message->bytes;
        message_free(message);
    }
    return count;
}

size_t unacked_uncommitted(const struct unacked *unacked)
{
    size_t count = 0;

    for (const struct message *message = unacked->oldest; message != NULL;
         message = message->younger)
        count += !atomic_load(&message->committed);
    return count;
}

void unacked_release(struct unacked *unacked)
{
    while (unacked->oldest != NULL)
        drop_oldest(unacked);
    unacked_init(unacked);
}

int64_t unacked_oldest_ms(const struct unacked *unacked)
{
    return unacked->oldest != NULL ? unacked->oldest->arrived_at_ms : 0;
}
