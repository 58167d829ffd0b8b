#include "pg/write_set.h"

#include "pg/store.h"

#include <stdio.h>
#include <string.h>

/*
 * The writer sorts a batch by entity, so the messages of one entity are neighbours and a group is a
 * piece of the request's own array. Refused messages may stand anywhere but between those of one
 * entity; without that promise of struct write_request a group would need an array of its own.
 */

static bool same_entity(const struct message *a, const struct message *b)
{
    return slice_equal(a->change->id, b->change->id);
}

int write_set_init(struct write_set *set, const struct entity *entity,
                   const struct write_request *request, size_t max_bytes)
{
    *set = (struct write_set){ .entity = entity };
    arena_init(&set->arena, max_bytes);
    set->entities = arena_alloc_array(&set->arena, request->count, sizeof(*set->entities));
    set->dead_letters = arena_alloc_array(&set->arena, request->count, sizeof(struct message *));
    if (set->entities == NULL || set->dead_letters == NULL)
        return -1;
    for (size_t i = 0; i < request->count; i++) {
        struct message *message = request->messages[i];
        struct write_set_entity *last = set->count > 0 ? &set->entities[set->count - 1] : NULL;

        if (message->refused) {
            set->dead_letters[set->dead_letter_count++] = message;
        } else if (last != NULL && same_entity(last->messages[last->count - 1], message)) {
            last->count++;
        } else {
            last = &set->entities[set->count++];
            *last = (struct write_set_entity){ .messages = &request->messages[i],
                                               .count = 1,
                                               .id = message->change->id };
        }
    }
    return 0;
}

void write_set_release(struct write_set *set)
{
    arena_release(&set->arena);
}

const uint8_t *write_set_entity_hash(const struct write_set_entity *entity)
{
    const uint8_t *hash = entity->messages[0]->change->hash;

    for (size_t i = 1; i < entity->count; i++) {
        if (memcmp(entity->messages[i]->change->hash, hash, DIGEST_BYTES) != 0)
            return NULL;
    }
    return hash;
}

bool write_set_entity_time(const struct write_set_entity *entity, int64_t *source_time)
{
    bool found = false;

    for (size_t i = 0; i < entity->count; i++) {
        const struct change *change = entity->messages[i]->change;

        if (change->has_time && (!found || change->source_time_pg_us > *source_time)) {
            *source_time = change->source_time_pg_us;
            found = true;
        }
    }
    return found;
}

/* The message goes to the dead letters; there is room for every message of the request. */
static void refuse_too_large(struct write_set *set, struct message *message)
{
    message->refused = true;
    message->refusal = (struct refusal){ .reason = REFUSAL_TOO_LARGE };
    snprintf(message->refusal.detail, sizeof(message->refusal.detail),
             "with it, extra of its row in %s would take more than %zu bytes (%d x "
             "limits.max_message_bytes)",
             set->entity->root.name, set->max_extra_bytes, PG_STORE_EXTRA_PER_MESSAGE_BYTE);
    set->dead_letters[set->dead_letter_count++] = message;
    set->too_large_count++;
}

void write_set_take_back(struct write_set *set)
{
    for (; set->too_large_count > 0; set->too_large_count--) {
        struct message *message = set->dead_letters[--set->dead_letter_count];

        message->refused = false;
        message->refusal = (struct refusal){ 0 };
    }
}

static int fold_entity(struct write_set *set, struct write_set_entity *entity)
{
    if (!entity->loaded && fold_start(&entity->before, set->entity, entity->id, &set->arena) != 0)
        return -1;
    entity->after = entity->before;
    entity->after.max_extra_bytes = set->max_extra_bytes;
    for (size_t i = 0; i < entity->count; i++) {
        enum fold_result result =
            fold_apply(&entity->after, entity->messages[i]->change, &set->arena);

        if (result == FOLD_UNREADABLE)
            set->unreadable = entity;
        if (result == FOLD_UNREADABLE || result == FOLD_NO_MEMORY)
            return -1;
        if (result == FOLD_TOO_LARGE)
            refuse_too_large(set, entity->messages[i]);
        set->stale += result == FOLD_STALE;
    }
    if (fold_end(&entity->after, &set->arena) != 0)
        return -1;
    return fold_compare(&entity->before, &entity->after, &set->arena, &entity->difference);
}

int write_set_fold(struct write_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (!set->entities[i].identical && fold_entity(set, &set->entities[i]) != 0)
            return -1;
    }
    return 0;
}
