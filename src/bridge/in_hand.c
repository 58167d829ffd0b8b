#include "bridge/in_hand.h"

void in_hand_init(struct in_hand *in_hand)
{
    *in_hand = (struct in_hand){ 0 };
}

void in_hand_add(struct in_hand *in_hand, struct message *message)
{
    message->position = in_hand->arrivals++;
    message->bytes = sizeof(*message) + message->delivery->bytes + message->arena.used_bytes;
    if (in_hand->youngest != NULL)
        in_hand->youngest->younger = message;
    else
        in_hand->oldest = message;
    in_hand->youngest = message;
    in_hand->count++;
    in_hand->bytes += message->bytes;
}

static void drop_oldest(struct in_hand *in_hand)
{
    struct message *message = in_hand->oldest;

    in_hand->oldest = message->younger;
    if (in_hand->oldest == NULL)
        in_hand->youngest = NULL;
    in_hand->count--;
    in_hand->bytes -= message->bytes;
    message_free(message);
}

bool in_hand_settle(struct in_hand *in_hand, uint64_t *tag)
{
    bool any = false;

    while (in_hand->oldest != NULL && atomic_load(&in_hand->oldest->done)) {
        *tag = in_hand->oldest->delivery->tag;
        any = true;
        drop_oldest(in_hand);
    }
    return any;
}

size_t in_hand_settle_behind(struct in_hand *in_hand, uint64_t *tags, size_t max)
{
    struct message *before = in_hand->oldest;
    size_t count = 0;

    while (before != NULL && before->younger != NULL && count < max) {
        struct message *message = before->younger;

        if (!atomic_load(&message->done)) {
            before = message;
            continue;
        }
        tags[count++] = message->delivery->tag;
        before->younger = message->younger;
        if (in_hand->youngest == message)
            in_hand->youngest = before;
        in_hand->count--;
        in_hand->bytes -= message->bytes;
        message_free(message);
    }
    return count;
}

size_t in_hand_undone(const struct in_hand *in_hand)
{
    size_t count = 0;

    for (const struct message *message = in_hand->oldest; message != NULL;
         message = message->younger)
        count += !atomic_load(&message->done);
    return count;
}

void in_hand_release(struct in_hand *in_hand)
{
    while (in_hand->oldest != NULL)
        drop_oldest(in_hand);
    in_hand_init(in_hand);
}
