#include "model/delivery.h"

#include <stdlib.h>

static struct slice place(char **cursor, struct slice source)
{
    struct slice copy = { NULL, source.len };

    if (source.data == NULL)
        return copy;
    copy.data = *cursor;
    if (source.len > 0)
        memcpy(*cursor, source.data, source.len);
    *cursor += source.len;
    return copy;
}

struct delivery *delivery_copy(const struct delivery *source)
{
    size_t bytes = sizeof(*source) + source->body.len + source->content_type.len +
                   source->message_id.len + source->properties.len;
    struct delivery *copy = malloc(bytes);
    char *cursor;

    if (copy == NULL)
        return NULL;
    *copy = *source;
    copy->bytes = bytes;
    cursor = (char *)(copy + 1);
    copy->body = place(&cursor, source->body);
    copy->content_type = place(&cursor, source->content_type);
    copy->message_id = place(&cursor, source->message_id);
    copy->properties = place(&cursor, source->properties);
    return copy;
}

void delivery_free(struct delivery *delivery)
{
    free(delivery);
}
