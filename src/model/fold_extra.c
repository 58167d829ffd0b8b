#include "model/fold_extra.h"

#include "base/json_canonical.h"
#include "base/json_read.h"

#include <string.h>

/*
 * Unknown names pile up in `extra`, one message after another, so it can be much larger than a
 * message, and many messages of a batch may change it. That is why its members are changed in one
 * array that only grows, the text is written once, after the last message, and no tree of the
 * stored text is built: PostgreSQL prints jsonb in one way only, so the members are found by their
 * quotes, brackets and commas.
 */

/* A place in the stored text. It is moved to the end of the text where something is missing. */
struct scan {
    const char *at;
    const char *end;
};

static bool skip_byte(struct scan *scan, char byte)
{
    bool found = scan->at < scan->end && *scan->at == byte;

    scan->at += found;
    return found;
}

static void skip_blank(struct scan *scan)
{
    while (skip_byte(scan, ' '))
        ;
}

/* Skips a string; the scan stands behind its first quote. */
static void skip_string(struct scan *scan)
{
    while (scan->at < scan->end && *scan->at != '"')
        scan->at += *scan->at == '\\' && scan->end - scan->at > 1 ? 2 : 1;
    skip_byte(scan, '"');
}

/* Skips a value, up to the comma or bracket behind it. */
static void skip_value(struct scan *scan)
{
    size_t depth = 0;

    while (scan->at < scan->end) {
        char byte = *scan->at;

        if (depth == 0 && (byte == ',' || byte == '}'))
            return;
        scan->at++;
        if (byte == '"')
            skip_string(scan);
        else if (byte == '{' || byte == '[')
            depth++;
        else if (byte == '}' || byte == ']')
            depth--;
    }
}

/* Finds the next member; its name is as it stands in the text. Returns false if something else
   stands there. */
static bool next_member(struct scan *scan, struct json_pair *pair)
{
    const char *start;

    skip_blank(scan);
    start = scan->at + 1;
    if (!skip_byte(scan, '"'))
        return false;
    skip_string(scan);
    pair->name = (struct slice){ start, (size_t)(scan->at - 1 - start) };
    if (!skip_byte(scan, ':'))
        return false;
    skip_blank(scan);
    start = scan->at;
    skip_value(scan);
    pair->text = (struct slice){ start, (size_t)(scan->at - start) };
    return scan->at > start && scan->at < scan->end;
}

/* Decodes a name that has escapes. Returns 0, or -1 when there is no memory. */
static int decode_name(struct slice *name, struct arena *arena)
{
    struct slice quoted = { name->data - 1, name->len + 2 };
    struct json_doc doc;
    struct json_fault fault;

    if (name->len == 0 || memchr(name->data, '\\', name->len) == NULL)
        return 0;
    json_doc_init(&doc);
    *name = json_read(&doc, quoted, 1, &fault) == 0 ? json_string(&doc, &doc.nodes[0], arena)
                                                    : (struct slice){ NULL, 0 };
    json_doc_release(&doc);
    return name->data != NULL ? 0 : -1;
}

/* Counts the members, and puts them into pairs unless it is NULL. */
static enum fold_result scan_members(struct slice text, struct json_pair *pairs, size_t *count,
                                     struct arena *arena)
{
    struct scan scan = { text.data, text.data + text.len };
    struct json_pair pair;

    *count = 0;
    if (!skip_byte(&scan, '{'))
        return FOLD_UNREADABLE;
    if (!skip_byte(&scan, '}')) {
        do {
            if (!next_member(&scan, &pair))
                return FOLD_UNREADABLE;
            if (pairs != NULL && decode_name(&pair.name, arena) != 0)
                return FOLD_NO_MEMORY;
            if (pairs != NULL)
                pairs[*count] = pair;
            ++*count;
        } while (skip_byte(&scan, ','));
        if (!skip_byte(&scan, '}'))
            return FOLD_UNREADABLE;
    }
    return scan.at == scan.end ? FOLD_APPLIED : FOLD_UNREADABLE;
}

/* How much of the text a member takes, with its share of the brackets and commas. */
static size_t member_bytes(const struct json_pair *pair)
{
    return json_string_bytes(pair->name) + pair->text.len + strlen(": , ");
}

static enum fold_result read_members(struct fold_state *state, struct arena *arena)
{
    struct slice text = value_text(&state->root[state->entity->root.extra]);
    struct json_pair *pairs;
    size_t count;
    enum fold_result result = scan_members(text, NULL, &count, arena);

    if (result != FOLD_APPLIED)
        return result;
    pairs = arena_alloc_array(arena, count, sizeof(*pairs));
    if (pairs == NULL)
        return FOLD_NO_MEMORY;
    result = scan_members(text, pairs, &count, arena);
    if (result != FOLD_APPLIED)
        return result;
    state->extra = pairs;
    state->extra_count = count;
    state->extra_capacity = count;
    state->extra_bytes = 0;
    for (size_t i = 0; i < count; i++)
        state->extra_bytes += member_bytes(&pairs[i]);
    state->extra_read = true;
    return FOLD_APPLIED;
}

static bool is_dropped(const struct change *change, const struct json_pair *pair)
{
    return change->replaces_extra || change_names(change, pair->name);
}

static size_t written_out_by(const struct change *change)
{
    return change->leftover_count > 0 ? change->written_out_bytes : 0;
}

/* How large the text will be, and how many of the members stay. */
static size_t bytes_after(const struct fold_state *state, const struct change *change, size_t *kept)
{
    size_t bytes = state->written_out_bytes + written_out_by(change);

    *kept = 0;
    for (size_t i = 0; i < state->extra_count; i++) {
        if (is_dropped(change, &state->extra[i]))
            continue;
        bytes += member_bytes(&state->extra[i]);
        ++*kept;
    }
    for (size_t i = 0; i < change->leftover_count; i++)
        bytes += member_bytes(&change->leftovers[i]);
    return bytes;
}

static int make_room(struct fold_state *state, size_t count, struct arena *arena)
{
    size_t capacity = count > state->extra_capacity * 2 ? count : state->extra_capacity * 2;
    struct json_pair *grown;

    if (count <= state->extra_capacity)
        return 0;
    grown = arena_alloc_array(arena, capacity, sizeof(*grown));
    if (grown == NULL)
        return -1;
    if (state->extra_count > 0)
        memcpy(grown, state->extra, state->extra_count * sizeof(*grown));
    state->extra = grown;
    state->extra_capacity = capacity;
    return 0;
}

static void drop_members(struct fold_state *state, const struct change *change)
{
    size_t kept = 0;

    for (size_t i = 0; i < state->extra_count; i++) {
        if (!is_dropped(change, &state->extra[i]))
            state->extra[kept++] = state->extra[i];
    }
    state->extra_count = kept;
}

/* Merges the leftovers in, from the end, where there is room. Both are in jsonb's order. */
static void add_leftovers(struct fold_state *state, const struct change *change)
{
    size_t old = state->extra_count;
    size_t new = change->leftover_count;

    state->extra_count += new;
    for (size_t place = state->extra_count; new > 0; place--) {
        const struct json_pair *leftover = &change->leftovers[new - 1];
        bool is_old = old > 0 && json_pair_compare(&state->extra[old - 1], leftover) > 0;

        state->extra[place - 1] = is_old ? state->extra[--old] : *leftover;
        new -= !is_old;
    }
}

static bool is_too_large(const struct fold_state *state, size_t bytes)
{
    size_t stored = value_text(&state->root[state->entity->root.extra]).len;
    size_t before = state->extra_read ? state->extra_bytes : stored;

    return state->max_extra_bytes > 0 && bytes > state->max_extra_bytes && bytes > before;
}

enum fold_result fold_extra_apply(struct fold_state *state, const struct change *change,
                                  struct arena *arena)
{
    size_t kept;
    size_t bytes;

    if (!state->extra_read && !change->replaces_extra) {
        enum fold_result result = read_members(state, arena);

        if (result != FOLD_APPLIED)
            return result;
    }
    bytes = bytes_after(state, change, &kept);
    if (is_too_large(state, bytes))
        return FOLD_TOO_LARGE;
    if (state->extra_read && kept == state->extra_count && change->leftover_count == 0)
        return FOLD_APPLIED;
    if (make_room(state, kept + change->leftover_count, arena) != 0)
        return FOLD_NO_MEMORY;
    drop_members(state, change);
    add_leftovers(state, change);
    state->written_out_bytes += written_out_by(change);
    state->extra_bytes = bytes;
    state->extra_read = true;
    state->extra_changed = true;
    return FOLD_APPLIED;
}

int fold_extra_end(struct fold_state *state, struct arena *arena)
{
    struct value *extra = &state->root[state->entity->root.extra];
    struct buffer text;

    if (!state->extra_changed)
        return 0;
    /* The limit is that of the arena, which then tells that it is full. */
    buffer_init(&text, SIZE_MAX / 2);
    json_pairs_write(state->extra, state->extra_count, &text);
    *extra = value_of_text(arena_copy_slice(arena, buffer_slice(&text)));
    if (buffer_failed(&text))
        extra->data = NULL;
    buffer_release(&text);
    return extra->data != NULL ? 0 : -1;
}
