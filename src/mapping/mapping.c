#include "mapping/mapper.h"

#include "mapping/entity_file.h"

#include <stdlib.h>

enum { ARENA_MAX_BYTES = 16 << 20 };

/* Whatever changes the meaning of a payload must change the digest, so that an identical payload is
   applied again after the change. */
static int digest_file(struct mapping *mapping, const struct cfg_file *file, const char *time_zone)
{
    char *contents = cfg_contents(file);
    const struct slice parts[] = { SLICE_LITERAL(MAPPING_ENGINE_VERSION "\n"), slice_of(time_zone),
                                   SLICE_LITERAL("\n"), slice_of(contents) };
    int result = -1;

    if (contents != NULL)
        result = digest_sha256(mapping->digest, parts, sizeof(parts) / sizeof(parts[0]));
    free(contents);
    return result;
}

static void name_slots_below(struct mapping *mapping, const struct path_level *level, uint32_t top)
{
    for (uint32_t i = 0; i < level->count; i++) {
        const struct path_step *step = &level->steps[i];
        uint32_t name = level == &mapping->root.paths ? i : top;

        if (step->below != NULL)
            name_slots_below(mapping, step->below, name);
        else
            mapping->slot_names[step->slot] = name;
    }
}

/* Notes for each slot of the root which top-level name its path begins with. */
static bool name_slots(struct mapping *mapping)
{
    mapping->slot_names =
        arena_alloc_array(&mapping->arena, mapping->root.slot_count, sizeof(*mapping->slot_names));
    if (mapping->slot_names == NULL)
        return false;
    name_slots_below(mapping, &mapping->root.paths, 0);
    return true;
}

static int read_file(struct mapping *mapping, const char *path, const char *time_zone,
                     struct error_list *problems)
{
    struct cfg_file *file = cfg_open(path, problems);
    struct error err;
    int result = -1;

    if (file == NULL)
        return -1;
    if (entity_file_read(mapping, cfg_root(file)) == 0 &&
        digest_file(mapping, file, time_zone) == 0 && name_slots(mapping)) {
        result = 0;
    } else if (!cfg_failed(file)) {
        error_no_memory(&err);
        error_list_add(problems, &err);
    }
    cfg_close(file);
    return result;
}

int mapping_load(struct mapping **out, const char *path, const struct mapping_rules *rules,
                 struct error_list *problems)
{
    struct mapping *mapping = calloc(1, sizeof(*mapping));
    struct error err;

    *out = NULL;
    if (mapping == NULL) {
        error_no_memory(&err);
        error_list_add(problems, &err);
        return -1;
    }
    arena_init(&mapping->arena, ARENA_MAX_BYTES);
    mapping->max_message_bytes = rules->max_message_bytes;
    mapping->max_depth = rules->max_depth;
    if (read_file(mapping, path, rules->time_zone, problems) != 0) {
        mapping_free(mapping);
        return -1;
    }
    *out = mapping;
    return 0;
}

void mapping_free(struct mapping *mapping)
{
    if (mapping == NULL)
        return;
    arena_release(&mapping->arena);
    free(mapping);
}

const struct entity *mapping_entity(const struct mapping *mapping)
{
    return &mapping->entity;
}
