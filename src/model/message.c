#include "model/message.h"

#include <stdlib.h>

struct message *message_new(struct delivery *delivery, size_t max_arena_bytes)
{
    struct message *message = calloc(1, sizeof(*message));

    if (message == NULL)
        return NULL;
    message->delivery = delivery;
    arena_init(&message->arena, max_arena_bytes);
    atomic_init(&message->committed, false);
    return message;
}

void message_free(struct message *message)
{
    if (message == NULL)
        return;
    arena_release(&message->arena);
    delivery_free(message->delivery);
    free(message);
}
