#include "mapping/mapper.h"

#include "base/text.h"
#include "mapping/child.h"
#include "mapping/convert.h"
#include "mapping/coverage.h"
#include "mapping/leftovers.h"
#include "mapping/payload.h"

#include <stdint.h>
#include <stdlib.h>

/*
 * The payload is read once into nodes, walked once to find the values at the paths, and every
 * column takes its value from there. What no column took is left over and goes to `extra`, so that
 * nothing of a message is lost; that is why each part marks what it holds. Everything that a change
 * points to is in the message's arena or in its body, so the mapper's own memory can serve the next
 * message at once.
 */

/* What every message may become, however small max_message_bytes is: a row of all columns in some
   sets. */
enum { FIXED_BYTES = 64 * 1024 };

/* The largest scratch buffer that is kept for the next message. */
enum { KEPT_TEXT_BYTES = 256 * 1024 };

/* The longest text that can be composed from a body, per byte of the body. The worst case is two
   values together, each of numbers that five bytes ("1e64,") make 67 bytes long. */
enum { TEXT_BYTES_PER_BODY_BYTE = 32, TEXT_BYTES = 8192 };

struct mapper {
    const struct mapping *mapping;
    struct json_doc doc;
    struct buffer scratch;
    struct buffer broken_text;
    struct object_view root;
    struct object_view child;
    struct coverage coverage; /* of the messages so far */
    bool *spoken;             /* per top-level name that has a path: the message speaks about it */
};

struct mapper *mapper_new(const struct mapping *mapping)
{
    struct mapper *mapper = calloc(1, sizeof(*mapper));
    size_t child_slots = 0;
    size_t text_bytes;

    if (mapper == NULL)
        return NULL;
    if (__builtin_mul_overflow(mapping->max_message_bytes, TEXT_BYTES_PER_BODY_BYTE, &text_bytes) ||
        text_bytes > SIZE_MAX / 4)
        text_bytes = SIZE_MAX / 4;
    for (size_t i = 0; i < mapping->entity.child_count; i++)
        if (mapping->children[i].object.slot_count > child_slots)
            child_slots = mapping->children[i].object.slot_count;
    mapper->mapping = mapping;
    json_doc_init(&mapper->doc);
    buffer_init(&mapper->scratch, TEXT_BYTES + text_bytes);
    buffer_init(&mapper->broken_text, TEXT_BYTES + text_bytes);
    mapper->spoken = calloc(mapping->root.paths.count, sizeof(*mapper->spoken));
    if (!object_view_init(&mapper->root, mapping->root.slot_count) ||
        !object_view_init(&mapper->child, child_slots) || mapper->spoken == NULL ||
        !coverage_init(&mapper->coverage, mapping)) {
        mapper_free(mapper);
        return NULL;
    }
    return mapper;
}

void mapper_free(struct mapper *mapper)
{
    if (mapper == NULL)
        return;
    json_doc_release(&mapper->doc);
    buffer_release(&mapper->scratch);
    buffer_release(&mapper->broken_text);
    object_view_release(&mapper->root);
    object_view_release(&mapper->child);
    coverage_release(&mapper->coverage);
    free(mapper->spoken);
    free(mapper);
}

static void shrink(struct buffer *text)
{
    if (text->capacity > KEPT_TEXT_BYTES)
        buffer_release(text);
}

static bool make_change(struct reading *reading, struct change **out)
{
    const struct entity *entity = &reading->mapping->entity;
    struct arena *arena = reading->arena;
    struct change *change = arena_alloc(arena, sizeof(*change));

    if (change == NULL)
        return false;
    change->replaces_extra = reading->mapping->clears;
    change->root_set =
        arena_alloc_array(arena, entity->root.column_count, sizeof(*change->root_set));
    change->root = arena_alloc_array(arena, entity->root.column_count, sizeof(*change->root));
    change->set_present = arena_alloc_array(arena, entity->set_count, sizeof(*change->set_present));
    change->sets = arena_alloc_array(arena, entity->set_count, sizeof(*change->sets));
    *out = change;
    return change->root_set != NULL && change->root != NULL && change->set_present != NULL &&
           change->sets != NULL;
}

static int compare_names(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Collects the names that the message speaks about: its own, and those that it clears by leaving
   them out. */
static bool collect_names(struct reading *reading, const struct member *members, size_t count,
                          bool *spoken, struct change *change)
{
    const struct path_level *known = &reading->mapping->root.paths;

    memset(spoken, 0, known->count * sizeof(*spoken));
    change->names = arena_alloc_array(reading->arena, count + known->count, sizeof(*change->names));
    if (change->names == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        change->names[i] = members[i].name;
        if (members[i].step != NULL)
            spoken[members[i].step - known->steps] = true;
    }
    change->name_count = count;
    for (uint32_t i = 0; i < known->count; i++) {
        if (spoken[i] || known->steps[i].absent != PATH_ABSENT_CLEAR)
            continue;
        spoken[i] = true;
        change->names[change->name_count++] = known->steps[i].name;
    }
    qsort(change->names, change->name_count, sizeof(*change->names), compare_names);
    return true;
}

/* Marks the columns and sets that the message speaks about. */
static void mark_present(const struct mapping *mapping, const bool *spoken, struct change *change)
{
    for (uint32_t set = 0; set < mapping->entity.set_count; set++)
        change->set_present[set] = spoken[mapping->slot_names[1 + set]];
    for (uint32_t i = 0; i < mapping->root.source_count; i++) {
        const struct mapping_source *source = &mapping->root.sources[i];

        for (uint32_t slot = source->first_slot; slot < source->first_slot + source->slot_count;
             slot++)
            if (spoken[mapping->slot_names[slot]])
                change->root_set[source->column] = true;
        if (source->date_column != MAPPING_NONE)
            change->root_set[source->date_column] = change->root_set[source->column];
    }
}

static bool read_sets(struct mapper *mapper, struct reading *reading, struct change *change,
                      struct slice *broken)
{
    for (uint32_t set = 0; set < mapper->mapping->entity.set_count; set++) {
        const struct json_node *node = mapper->root.found[1 + set];

        if (node == NULL)
            continue;
        if (!child_read_set(reading, set, node, change->id, &mapper->child, &change->sets[set],
                            &broken[set]))
            return false;
        object_hold(&mapper->root, 1 + set);
    }
    return true;
}

/* Writes what is left of one top-level member; text stays empty if nothing is left. */
static bool leftover_of(struct mapper *mapper, struct reading *reading, const struct member *member,
                        const struct slice *broken, struct slice *text)
{
    struct buffer *out;

    if (member->node->type == JSON_NULL)
        return true;
    if (member->step != NULL && member->step->slot >= 1 &&
        member->step->slot <= mapper->mapping->entity.set_count) {
        *text = broken[member->step->slot - 1];
        return true;
    }
    out = reading_begin_text(reading);
    if (!leftovers_write_member(reading, member, &mapper->root, out))
        return false;
    return out->len == 0 || reading_end_text(reading, text);
}

static bool collect_leftovers(struct mapper *mapper, struct reading *reading,
                              const struct member *members, size_t count,
                              const struct slice *broken, struct change *change)
{
    if (mapper->root.left == 0 && reading->broken == 0)
        return true;
    change->leftovers = arena_alloc_array(reading->arena, count, sizeof(*change->leftovers));
    if (change->leftovers == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice text = { NULL, 0 };

        if (!leftover_of(mapper, reading, &members[i], broken, &text))
            return false;
        if (text.len > 0)
            change->leftovers[change->leftover_count++] =
                (struct json_pair){ members[i].name, text };
    }
    qsort(change->leftovers, change->leftover_count, sizeof(*change->leftovers), json_pair_compare);
    change->written_out_bytes = payload_written_out_bytes(&mapper->doc);
    return true;
}

/* Fills everything except the id, which is set already. */
static bool fill_change(struct mapper *mapper, struct reading *reading, struct change *change)
{
    const struct mapping *mapping = mapper->mapping;
    const struct json_node *root = &mapper->doc.nodes[0];
    struct slice *broken =
        arena_alloc_array(reading->arena, mapping->entity.set_count, sizeof(*broken));
    struct member *members;
    size_t count;

    if (broken == NULL ||
        !leftovers_members(reading, &mapping->root.paths, root, &members, &count) ||
        !collect_names(reading, members, count, mapper->spoken, change))
        return false;
    mark_present(mapping, mapper->spoken, change);
    change->root[0] = value_of_text(change->id);
    object_hold(&mapper->root, 0);
    if (!object_fill(reading, &mapping->root, &mapper->root, change->root) ||
        !read_sets(mapper, reading, change, broken) ||
        !collect_leftovers(mapper, reading, members, count, broken, change))
        return false;
    coverage_note_root(&mapper->coverage, reading, &mapper->root);
    change->misfits = reading->misfits;
    change->broken = reading->broken;
    change->unmapped = !reading->mapped && (count > 1 || change->leftover_count > 0);
    change->judged_anew = reading->judged_anew;
    change->other_case = reading->other_case;
    return true;
}

static bool hash_payload(const struct mapping *mapping, struct slice body, struct change *change)
{
    const struct slice parts[] = { { (const char *)mapping->digest, DIGEST_BYTES }, body };

    return digest_sha256(change->hash, parts, 2) == 0;
}

static enum map_outcome map_payload(struct mapper *mapper, struct slice body, struct arena *arena,
                                    struct change **change, struct refusal *refusal)
{
    struct reading reading = {
        .mapping = mapper->mapping,
        .doc = &mapper->doc,
        .arena = arena,
        .scratch = &mapper->scratch,
        .broken_text = &mapper->broken_text,
        .coverage = &mapper->coverage,
    };
    enum map_outcome outcome = payload_read(mapper->mapping, body, &mapper->doc, refusal);
    struct slice id;

    if (outcome != MAP_ACCEPTED)
        return outcome;
    if (!object_collect(&reading, &mapper->mapping->root, &mapper->doc.nodes[0], &mapper->root))
        return MAP_NO_MEMORY;
    outcome = payload_id(&reading, &mapper->root, &id, refusal);
    if (outcome == MAP_ACCEPTED)
        outcome = payload_check_arrays(&reading, &mapper->root, id, refusal);
    if (outcome != MAP_ACCEPTED)
        return outcome;
    if (!make_change(&reading, change))
        return MAP_NO_MEMORY;
    (*change)->id = id;
    if (!fill_change(mapper, &reading, *change) || !hash_payload(mapper->mapping, body, *change))
        return MAP_NO_MEMORY;
    return MAP_ACCEPTED;
}

/* Refuses a message that needs more memory than the arena allows: an array of `{}`, three bytes
   each, would become as many rows of all columns. Frees what has been made of it. */
static enum map_outcome refuse_expansion(const struct mapping *mapping, struct arena *arena,
                                         const struct change *change, struct refusal *refusal)
{
    char kept[ENTITY_KEY_MAX_BYTES];
    struct slice id = { NULL, 0 };

    if (change != NULL && change->id.data != NULL)
        id = (struct slice){ memcpy(kept, change->id.data, change->id.len), change->id.len };
    arena_release(arena);
    *refusal = (struct refusal){ .reason = REFUSAL_TOO_LARGE };
    if (id.data != NULL)
        refusal->entity_id = arena_copy_slice(arena, id);
    text_set(refusal->detail, sizeof(refusal->detail),
             "its rows take more than %zu bytes (%d x limits.max_message_bytes)",
             mapper_arena_limit(mapping), MAPPER_EXPANSION);
    return MAP_REFUSED;
}

enum map_outcome mapper_map(struct mapper *mapper, struct slice body, struct arena *arena,
                            struct change **change, struct refusal *refusal)
{
    enum map_outcome outcome;

    *change = NULL;
    outcome = map_payload(mapper, body, arena, change, refusal);
    if (outcome == MAP_NO_MEMORY && arena->full) {
        outcome = refuse_expansion(mapper->mapping, arena, *change, refusal);
        *change = NULL;
    }
    shrink(&mapper->scratch);
    shrink(&mapper->broken_text);
    return outcome;
}

size_t mapper_unmatched(const struct mapper *mapper, char *text, size_t size)
{
    return coverage_unmatched(&mapper->coverage, text, size);
}

size_t mapper_arena_limit(const struct mapping *mapping)
{
    size_t bytes;

    if (__builtin_mul_overflow(mapping->max_message_bytes, MAPPER_EXPANSION, &bytes) ||
        bytes > SIZE_MAX / 4)
        return SIZE_MAX / 4;
    return FIXED_BYTES + bytes;
}

/* The port: the functions above, with the port's void pointers. */

static void *port_open(void *mapping)
{
    return mapper_new(mapping);
}

static void port_close(void *mapper)
{
    mapper_free(mapper);
}

static enum map_outcome port_map(void *mapper, struct slice body, struct arena *arena,
                                 struct change **change, struct refusal *refusal)
{
    return mapper_map(mapper, body, arena, change, refusal);
}

static size_t port_unmatched(void *mapper, char *text, size_t size)
{
    return mapper_unmatched(mapper, text, size);
}

static size_t port_arena_limit(void *mapping)
{
    return mapper_arena_limit(mapping);
}

struct mapper_port mapping_port(const struct mapping *mapping)
{
    return (struct mapper_port){
        /* The port's contexts are not const, because others write to theirs. This one is only
           read. */
        .context = (void *)(uintptr_t)mapping,
        .open = port_open,
        .close = port_close,
        .map = port_map,
        .unmatched = port_unmatched,
        .arena_limit = port_arena_limit,
    };
}
