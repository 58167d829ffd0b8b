/*
 * Sequences of messages about one entity, made of the bytes, through the mapper and the fold. Each
 * changes what it names and nothing else. Whether they come in one batch or with a commit between
 * any two of them makes no difference; a state does not differ from itself as the database returns
 * it; and the difference, applied to the rows there were, gives the rows there shall be.
 */
#include "fuzz_mapping.h"
#include "model/fold.h"

#include "base/buffer.h"
#include "base/json_read.h"

#include <stdlib.h>

enum { MAX_MESSAGES = 6, MAX_ELEMENTS = 4, MAX_BODY_BYTES = 8192, MAX_ROWS = 64, MAX_CHOICES = 6 };

/* The bytes that decide; zeros when they are used up. */
struct dice {
    const uint8_t *data;
    size_t left;
};

static unsigned roll(struct dice *dice, unsigned sides)
{
    if (dice->left == 0)
        return 0;
    dice->left--;
    return *dice->data++ % sides;
}

/* What a message may say about a property: NULL is nothing. */
struct property {
    const char *name;
    const char *values[MAX_CHOICES];
};

static const struct property PROPERTIES[] = {
    { "name", { NULL, "null", "\"x\"", "\"y\"", "[1]", "7" } },
    { "n", { NULL, NULL, "null", "\"x\"", "{}", "1e2" } },
    { "characteristic",
      { NULL, "null", "{\"name\":\"x\"}", "{\"name\":\"z\",\"k\":1}", "3", "{\"k\":null}" } },
    { "amount", { NULL, "null", "1", "\"1e2\"", "\"no\"", "1.0" } },
    { "valid",
      { NULL, "null", "{\"from\":\"2021-08-13\"}", "{\"from\":\"2021-08-12T21:00Z\",\"x\":[1]}",
        "{\"to\":{\"when\":\"2020-01-01 00:00:00.1234567\"}}", "\"2021\"" } },
    { "until",
      { NULL, NULL, "null", "\"2020-01-01\"", "\"never\"", "\"2020-01-01 00:00:00.1234567\"" } },
    { "unknown", { NULL, "null", "1", "{\"b\":1,\"a\":2}", "[1, null]", "\"\\u00e9\\n\"" } },
    { "other", { NULL, NULL, "null", "true", "1e2", "{}" } },
};

static const char *const ARRAYS[] = { "place", "one", "two", "pair" };

static const char *const ELEMENTS[] = {
    "{\"name\":\"a\",\"type\":\"Float\",\"value\":1}",
    "{\"name\":\"a\",\"type\":\"Date\",\"value\":\"2021-08-13\"}",
    "{\"name\":\"b\",\"value\":null,\"more\":{\"x\":1}}",
    "{\"city\":\"c\",\"main\":true,\"a\":\"1\",\"of\":{\"b\":\"2\"}}",
    "{\"city\":\"d\",\"weight\":\"x\",\"a\":\"2\",\"of\":{\"b\":\"2\"}}",
    "{\"opened\":\"2021-08-13\",\"name\":7,\"a\":1,\"of\":{\"b\":\"3\",\"c\":0}}",
    "{}",
    "5",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void append_element(struct dice *dice, struct buffer *body)
{
    buffer_append_text(body, ELEMENTS[roll(dice, COUNT(ELEMENTS))]);
}

static void append_array(struct dice *dice, const char *name, struct buffer *body)
{
    enum { ABSENT, NONE, OBJECT, LIST, LONG_LIST, CHOICES };
    unsigned choice = roll(dice, CHOICES);
    unsigned count = choice < LIST ? 0 : roll(dice, MAX_ELEMENTS + 1);

    if (choice == ABSENT)
        return;
    buffer_append_format(body, ",\"%s\":", name);
    if (choice == NONE) {
        buffer_append_text(body, "null");
    } else if (choice == OBJECT) {
        buffer_append_text(body, "{\"name\":\"a\",\"a\":\"1\",\"of\":{\"b\":\"2\"}}");
    } else {
        buffer_append_byte(body, '[');
        for (unsigned i = 0; i < count; i++) {
            if (i > 0)
                buffer_append_byte(body, ',');
            append_element(dice, body);
        }
        buffer_append_byte(body, ']');
    }
}

static void make_message(const struct fuzz_mapping *mapping, struct dice *dice,
                         struct fuzz_mapped *message)
{
    struct buffer body;
    unsigned time;

    buffer_init(&body, MAX_BODY_BYTES);
    buffer_append_text(&body, "{\"meta\":{\"id\":\"1\"}");
    for (size_t i = 0; i < COUNT(PROPERTIES); i++) {
        const char *value = PROPERTIES[i].values[roll(dice, MAX_CHOICES)];

        if (value != NULL)
            buffer_append_format(&body, ",\"%s\":%s", PROPERTIES[i].name, value);
    }
    for (size_t i = 0; i < COUNT(ARRAYS); i++)
        append_array(dice, ARRAYS[i], &body);
    buffer_append_byte(&body, '}');
    REQUIRE(!buffer_failed(&body));
    fuzz_map(mapping, body.data, body.len, message);
    REQUIRE(message->outcome == MAP_ACCEPTED);
    time = roll(dice, 16);
    message->change->has_time = (time & 1) != 0;
    message->change->may_be_late = (time & 2) != 0;
    message->change->source_time_pg_us = message->change->has_time ? time >> 2 : 0;
    buffer_release(&body);
}

static struct fold_state start(const struct entity *entity, struct arena *arena)
{
    struct fold_state state;

    REQUIRE(fold_start(&state, entity, SLICE_LITERAL("1"), arena) == 0);
    return state;
}

static struct value *copy_row(const struct table *table, const struct value *row,
                              struct arena *arena)
{
    struct value *copy = arena_alloc_array(arena, table->column_count, sizeof(*copy));

    REQUIRE(copy != NULL);
    memcpy(copy, row, table->column_count * sizeof(*copy));
    return copy;
}

/* As the database returns it: rows in another order, `extra` as one text. */
static struct fold_state reload(const struct fold_state *state, struct arena *arena)
{
    const struct entity *entity = state->entity;
    struct fold_state again = start(entity, arena);

    if (!state->exists)
        return again;
    again.exists = true;
    again.root = copy_row(&entity->root, state->root, arena);
    again.extra_read = slice_is(value_text(&again.root[entity->root.extra]), "{}");
    again.has_hash = state->has_hash;
    memcpy(again.hash, state->hash, sizeof(again.hash));
    again.has_time = state->has_time;
    again.source_time_pg_us = state->source_time_pg_us;
    for (size_t c = 0, s = 0; c < entity->child_count; c++) {
        for (size_t end = s + entity->children[c].set_count; s < end; s++) {
            const struct row_set *set = &state->sets[s];

            again.sets[s].rows = arena_alloc_array(arena, set->count, sizeof(struct value *));
            again.sets[s].count = set->count;
            REQUIRE(again.sets[s].rows != NULL);
            for (size_t i = 0; i < set->count; i++)
                again.sets[s].rows[i] =
                    copy_row(&entity->children[c].table, set->rows[set->count - 1 - i], arena);
        }
    }
    return again;
}

static size_t count_members(const struct json_doc *doc)
{
    size_t count = 0;

    for (const struct json_node *at = json_first(doc, &doc->nodes[0]); at != NULL;
         at = json_next(doc, &doc->nodes[0], at))
        count++;
    return count;
}

static void read_extra(const struct fold_state *state, struct json_doc *doc)
{
    struct json_fault fault;

    json_doc_init(doc);
    REQUIRE(json_read(doc, value_text(&state->root[state->entity->root.extra]), JSON_MAX_DEPTH,
                      &fault) == 0);
}

/* The stored members less those that the message names, and its leftovers. */
static void require_extra(const struct fold_state *before, const struct change *change,
                          const struct fold_state *after, struct arena *arena)
{
    struct json_doc old;
    struct json_doc new;
    size_t kept = 0;

    read_extra(before, &old);
    read_extra(after, &new);
    for (const struct json_node *at = json_first(&old, &old.nodes[0]); at != NULL;
         at = json_next(&old, &old.nodes[0], at)) {
        struct slice name = json_name(&old, at, arena);
        const struct json_node *same = json_member(&new, &new.nodes[0], name);

        if (change->replaces_extra || change_names(change, name))
            continue;
        kept++;
        REQUIRE(same != NULL && slice_equal(json_text(&old, at), json_text(&new, same)));
    }
    for (size_t i = 0; i < change->leftover_count; i++) {
        const struct json_node *same = json_member(&new, &new.nodes[0], change->leftovers[i].name);

        REQUIRE(same != NULL && slice_equal(json_text(&new, same), change->leftovers[i].text));
    }
    REQUIRE(count_members(&new) == kept + change->leftover_count);
    json_doc_release(&old);
    json_doc_release(&new);
}

/* Absent keeps, null clears, present replaces. */
static void require_applied(const struct fold_state *before, const struct change *change,
                            const struct fold_state *after, struct arena *arena)
{
    const struct table *root = &after->entity->root;

    for (size_t i = root->key_count; i < root->extra; i++)
        REQUIRE(value_equal(root->columns[i].type, &after->root[i],
                            change->root_set[i] ? &change->root[i] : &before->root[i]));
    for (size_t s = 0; s < after->entity->set_count; s++) {
        const struct row_set *wanted = change->set_present[s] ? &change->sets[s] : &before->sets[s];

        REQUIRE(after->sets[s].count == wanted->count);
        for (size_t i = 0; i < wanted->count; i++)
            REQUIRE(after->sets[s].rows[i] == wanted->rows[i]);
    }
    require_extra(before, change, after, arena);
}

/* The time of the last message applied; the same payload again can only make it newer. */
static void require_time(const struct fold_state *before, const struct change *change,
                         enum fold_result result, const struct fold_state *after)
{
    bool newer = change->has_time &&
                 (!before->has_time || change->source_time_pg_us > before->source_time_pg_us);
    bool moves = result == FOLD_APPLIED || (result == FOLD_IDENTICAL && newer);

    REQUIRE(after->has_time == (moves ? change->has_time : before->has_time));
    REQUIRE(after->source_time_pg_us ==
            (moves ? change->source_time_pg_us : before->source_time_pg_us));
}

/* Completes the state after each message, so that each step can be looked at. */
static void apply_stepwise(struct fold_state *state, const struct fuzz_mapped *messages,
                           size_t count, struct arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        const struct change *change = messages[i].change;
        struct fold_state before = *state;
        enum fold_result result = fold_apply(state, change, arena);
        bool late = change->may_be_late && change->has_time && before.has_time &&
                    change->source_time_pg_us < before.source_time_pg_us;

        REQUIRE(result != FOLD_NO_MEMORY);
        REQUIRE(fold_end(state, arena) == 0);
        REQUIRE(late == (result == FOLD_STALE));
        require_time(&before, change, result, state);
        if (result == FOLD_APPLIED)
            require_applied(&before, change, state, arena);
        else
            REQUIRE(state->root == before.root && state->sets == before.sets);
    }
    require_canonical(value_text(&state->root[state->entity->root.extra]));
}

/* Completes the state after the last message, as a batch does. */
static void apply_batch(struct fold_state *state, const struct fuzz_mapped *messages, size_t count,
                        struct arena *arena)
{
    for (size_t i = 0; i < count; i++)
        REQUIRE(fold_apply(state, messages[i].change, arena) != FOLD_NO_MEMORY);
    REQUIRE(fold_end(state, arena) == 0);
    require_canonical(value_text(&state->root[state->entity->root.extra]));
}

static void require_same_state(const struct fold_state *a, const struct fold_state *b,
                               struct arena *arena)
{
    struct fold_difference difference;

    REQUIRE(a->exists == b->exists);
    REQUIRE(fuzz_same_row(&a->entity->root, a->root, b->root));
    REQUIRE(fold_compare(a, b, arena, &difference) == 0);
    REQUIRE(difference.delete_count == 0 && difference.write_count == 0);
    REQUIRE(!difference.touched && !difference.root);
}

/* The rows of a child table, keyed as the table is. */
struct rows {
    const struct table *table;
    const struct value *rows[MAX_ROWS];
    size_t count;
};

static const struct value **find_row(struct rows *rows, const struct value *row)
{
    for (size_t i = 0; i < rows->count; i++) {
        bool same = true;

        for (size_t k = 0; k < rows->table->key_count; k++)
            same = same && value_equal(rows->table->columns[k].type, &rows->rows[i][k], &row[k]);
        if (same)
            return &rows->rows[i];
    }
    return NULL;
}

static void collect_rows(const struct fold_state *state, size_t child, struct rows *rows)
{
    size_t first = entity_first_set(state->entity, child);

    *rows = (struct rows){ .table = &state->entity->children[child].table };
    for (size_t s = first; s < first + state->entity->children[child].set_count; s++) {
        for (size_t i = 0; i < state->sets[s].count; i++) {
            REQUIRE(rows->count < MAX_ROWS);
            rows->rows[rows->count++] = state->sets[s].rows[i];
        }
    }
}

/* What the statements do, in their order; no delete or write is in vain. */
static void write_rows(const struct fold_difference *difference, size_t child, struct rows *rows)
{
    for (size_t i = 0; i < difference->delete_count; i++) {
        const struct value **row;

        if (difference->deletes[i].child != child)
            continue;
        row = find_row(rows, difference->deletes[i].values);
        REQUIRE(row != NULL);
        *row = rows->rows[--rows->count];
    }
    for (size_t i = 0; i < difference->write_count; i++) {
        const struct value **row;

        if (difference->writes[i].child != child)
            continue;
        row = find_row(rows, difference->writes[i].values);
        REQUIRE(row == NULL || !fuzz_same_row(rows->table, *row, difference->writes[i].values));
        REQUIRE(row != NULL || rows->count < MAX_ROWS);
        if (row == NULL)
            row = &rows->rows[rows->count++];
        *row = difference->writes[i].values;
    }
}

static void require_difference_leads(const struct fold_state *stored,
                                     const struct fold_state *state, struct arena *arena)
{
    struct fold_difference difference;

    REQUIRE(fold_compare(stored, state, arena, &difference) == 0);
    REQUIRE(difference.root || !difference.touched);
    if (!difference.touched) {
        REQUIRE(stored->exists == state->exists);
        REQUIRE(fuzz_same_row(&state->entity->root, stored->root, state->root));
    }
    for (size_t child = 0; child < state->entity->child_count; child++) {
        struct rows before;
        struct rows after;

        collect_rows(stored, child, &before);
        collect_rows(state, child, &after);
        write_rows(&difference, child, &before);
        REQUIRE(before.count == after.count);
        for (size_t i = 0; i < after.count; i++) {
            const struct value **row = find_row(&before, after.rows[i]);

            REQUIRE(row != NULL && fuzz_same_row(after.table, *row, after.rows[i]));
        }
    }
}

static void try_sequence(const struct entity *entity, const struct fuzz_mapped *messages,
                         size_t count)
{
    struct arena arena;
    struct fold_state whole;

    arena_init(&arena, SIZE_MAX / 4);
    whole = start(entity, &arena);
    apply_stepwise(&whole, messages, count, &arena);
    for (size_t cut = 0; cut <= count; cut++) {
        struct fold_state half = start(entity, &arena);
        struct fold_state stored;

        apply_batch(&half, messages, cut, &arena);
        stored = reload(&half, &arena);
        require_same_state(&half, &stored, &arena);
        half = stored;
        apply_batch(&half, messages + cut, count - cut, &arena);
        require_same_state(&whole, &half, &arena);
        require_difference_leads(&stored, &half, &arena);
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_mapping mapping;
    struct fuzz_mapped messages[MAX_MESSAGES];
    struct dice dice = { data, size };
    size_t count = 0;

    if (mapping.mapping == NULL)
        fuzz_mapping_load(&mapping, "tests/fuzz/every_feature.cfg");
    while (count < MAX_MESSAGES && dice.left > 0)
        make_message(&mapping, &dice, &messages[count++]);
    try_sequence(mapping_entity(mapping.mapping), messages, count);
    for (size_t i = 0; i < count; i++)
        fuzz_mapped_release(&messages[i]);
    return 0;
}
