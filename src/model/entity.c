#include "model/entity.h"

const char *const ENTITY_ROOT_COLUMNS[4] = { "payload_hash", "source_time", "created_at",
                                             "updated_at" };

size_t entity_first_set(const struct entity *entity, size_t child)
{
    size_t first = 0;

    for (size_t i = 0; i < child; i++)
        first += entity->children[i].set_count;
    return first;
}
