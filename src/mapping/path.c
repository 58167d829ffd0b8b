#include "mapping/path.h"

#include "base/text.h"
#include "mapping/letter_case.h"

/*
 * Every member of every payload is looked up here, known or not, so a lookup must not depend on how
 * many columns a table has. A hash table per level with four places for each name finds a name, or
 * its absence, in little more than one comparison. The payload chooses what is looked up and never
 * what is stored, so a simple hash is safe: nobody can fill the table with collisions.
 */

static struct slice first_name(const char *path)
{
    return (struct slice){ path, strcspn(path, ".") };
}

/* What follows the first name; NULL if that is the last. */
static const char *rest_of(const char *path)
{
    const char *dot = strchr(path, '.');

    return dot != NULL ? dot + 1 : NULL;
}

const char *path_fault(const char *path)
{
    unsigned names = 0;

    if (path[0] == '\0')
        return "a path is empty";
    if (slice_is(first_name(path), "$"))
        return "a path begins with its first name, without \"$.\"";
    if (strpbrk(path, "[]*") != NULL)
        return "a path leads through objects only: [, ] and * have no meaning in it";
    for (; path != NULL; path = rest_of(path)) {
        if (first_name(path).len == 0)
            return "a path has an empty name: there is a dot too many";
        if (++names > PATH_MAX_NAMES)
            return "a path has more than 8 names";
    }
    return NULL;
}

/* Mixes the length and three bytes of the name. */
static uint32_t name_hash(struct slice name)
{
    uint32_t hash = (uint32_t)name.len * 2654435761u;

    if (name.len > 0)
        hash ^=
            ((uint32_t)(unsigned char)name.data[0] * 31u + (unsigned char)name.data[name.len - 1]) *
                131u +
            (unsigned char)name.data[name.len / 2];
    return hash ^ hash >> 15;
}

const struct path_step *path_find(const struct path_level *level, struct slice name)
{
    uint32_t place;

    if (level->count == 0)
        return NULL;
    for (place = name_hash(name) & level->mask; level->table[place] != 0;
         place = (place + 1) & level->mask) {
        const struct path_step *step = &level->steps[level->table[place] - 1];

        if (slice_equal(step->name, name))
            return step;
    }
    return NULL;
}

const struct path_step *path_find_other_case(const struct path_level *level, struct slice name)
{
    for (uint32_t i = 0; i < level->count; i++)
        if (letter_case_same(level->steps[i].name, name) &&
            !slice_equal(level->steps[i].name, name))
            return &level->steps[i];
    return NULL;
}

/* Recurses at most as deep as the longest path. */
static bool append_path(const struct path_level *level, uint32_t slot, char *out, size_t size)
{
    size_t used = strlen(out);

    for (uint32_t i = 0; i < level->count; i++) {
        const struct path_step *step = &level->steps[i];

        text_append(out, size, "%s%.*s", used > 0 ? "." : "", SLICE_ARG(step->name));
        if (step->below == NULL ? step->slot == slot : append_path(step->below, slot, out, size))
            return true;
        out[used] = '\0';
    }
    return false;
}

void path_text(const struct path_level *top, uint32_t slot, char *out, size_t size)
{
    char text[256] = "";

    if (append_path(top, slot, text, sizeof(text)))
        text_set(out, size, "%s", text);
}

static void enter_name(struct path_level *level, uint32_t index)
{
    uint32_t place = name_hash(level->steps[index].name) & level->mask;

    while (level->table[place] != 0)
        place = (place + 1) & level->mask;
    level->table[place] = index + 1;
}

/* Doubles the room for steps. The hash table has four places for each. */
static bool make_room(struct path_level *level, struct arena *arena)
{
    uint32_t capacity = level->capacity == 0 ? 8 : level->capacity * 2;
    struct path_step *steps = arena_alloc_array(arena, capacity, sizeof(*steps));
    uint32_t *table = arena_alloc_array(arena, (size_t)capacity * 4, sizeof(*table));

    if (steps == NULL || table == NULL)
        return false;
    if (level->steps != NULL)
        memcpy(steps, level->steps, level->count * sizeof(*steps));
    level->steps = steps;
    level->table = table;
    level->capacity = capacity;
    level->mask = capacity * 4 - 1;
    for (uint32_t i = 0; i < level->count; i++)
        enter_name(level, i);
    return true;
}

static struct path_step *add_step(struct path_level *level, struct slice name, struct arena *arena)
{
    struct path_step *step;
    struct slice copy;

    if ((level->steps == NULL || level->count == level->capacity) && !make_room(level, arena))
        return NULL;
    copy = arena_copy_slice(arena, name);
    if (copy.data == NULL)
        return NULL;
    step = &level->steps[level->count];
    *step = (struct path_step){ .name = copy, .slot = PATH_NO_SLOT };
    enter_name(level, level->count++);
    return step;
}

static struct path_step *find_step(const struct path_level *level, struct slice name)
{
    const struct path_step *step = path_find(level, name);

    return step != NULL ? &level->steps[step - level->steps] : NULL;
}

/* Returns the level below a step, making it if there is none yet; NULL when there is no memory. */
static struct path_level *go_below(struct path_step *step, struct arena *arena)
{
    if (step->below == NULL)
        step->below = arena_alloc(arena, sizeof(*step->below));
    return step->below;
}

enum path_added path_add(struct path_level *top, const char *path, uint32_t slot,
                         struct arena *arena)
{
    struct path_level *level = top;

    for (;;) {
        const char *rest = rest_of(path);
        struct path_step *step = find_step(level, first_name(path));
        bool fresh = step == NULL;

        if (fresh)
            step = add_step(level, first_name(path), arena);
        if (step == NULL)
            return PATH_NO_MEMORY;
        if (rest == NULL) {
            if (!fresh)
                return step->slot != PATH_NO_SLOT ? PATH_TAKEN : PATH_INSIDE;
            step->slot = slot;
            return PATH_ADDED;
        }
        if (step->slot != PATH_NO_SLOT)
            return PATH_INSIDE;
        level = go_below(step, arena);
        if (level == NULL)
            return PATH_NO_MEMORY;
        path = rest;
    }
}

uint32_t path_slot(const struct path_level *top, const char *path)
{
    const struct path_level *level = top;

    for (;;) {
        const struct path_step *step = path_find(level, first_name(path));

        path = rest_of(path);
        if (step == NULL || path == NULL)
            return step != NULL ? step->slot : PATH_NO_SLOT;
        if (step->below == NULL)
            return PATH_NO_SLOT;
        level = step->below;
    }
}

uint32_t path_top_index(const struct path_level *top, const char *path)
{
    const struct path_step *step = path_find(top, first_name(path));

    return step != NULL ? (uint32_t)(step - top->steps) : PATH_NO_SLOT;
}
