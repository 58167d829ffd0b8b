#include "fixture.h"

#include "base/civil_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_MESSAGE_BYTES = 60000, MAX_DEPTH = 64 };

static const struct mapping_rules RULES = { "Europe/Istanbul", MAX_MESSAGE_BYTES, MAX_DEPTH };

int fixture_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct error err;

    assert_non_null(fixture);
    error_list_init(&fixture->problems);
    arena_init(&fixture->arena, 0);
    *state = fixture;
    return civil_zone_set(RULES.time_zone, &err);
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;

    arena_release(&fixture->arena);
    mapper_free(fixture->mapper);
    mapping_free(fixture->mapping);
    error_list_release(&fixture->problems);
    free(fixture);
    return 0;
}

static char *with_quotes(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

static int try_load(struct fixture *fixture, const char *path)
{
    int result;

    mapper_free(fixture->mapper);
    fixture->mapper = NULL;
    mapping_free(fixture->mapping);
    error_list_release(&fixture->problems);
    error_list_init(&fixture->problems);
    result = mapping_load(&fixture->mapping, path, &RULES, &fixture->problems);
    if (result == 0) {
        fixture->mapper = mapper_new(fixture->mapping);
        assert_non_null(fixture->mapper);
    }
    return result;
}

static void assert_loaded(const struct fixture *fixture, int result)
{
    char text[2048];

    for (size_t i = 0; i < fixture->problems.count; i++)
        print_message("%s\n", error_text(&fixture->problems.items[i], text, sizeof(text)));
    assert_int_equal(result, 0);
    assert_int_equal(fixture->problems.count, 0);
}

void fixture_load(struct fixture *fixture, const char *path)
{
    assert_loaded(fixture, try_load(fixture, path));
}

int fixture_try_text(struct fixture *fixture, const char *text)
{
    char directory[] = "/tmp/kopru-mapping-XXXXXX";
    char *quoted = with_quotes(text);
    char path[64];
    FILE *file;
    int result;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/entity.cfg", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(quoted, file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(quoted);
    result = try_load(fixture, path);
    unlink(path);
    rmdir(directory);
    return result;
}

void fixture_load_text(struct fixture *fixture, const char *text)
{
    assert_loaded(fixture, fixture_try_text(fixture, text));
}

enum map_outcome fixture_map_bytes(struct fixture *fixture, const char *bytes, size_t len)
{
    assert_true(len <= sizeof(fixture->body));
    memcpy(fixture->body, bytes, len);
    arena_release(&fixture->arena);
    arena_init(&fixture->arena, mapper_arena_limit(fixture->mapping));
    fixture->change = NULL;
    memset(&fixture->refusal, 0, sizeof(fixture->refusal));
    return mapper_map(fixture->mapper, (struct slice){ fixture->body, len }, &fixture->arena,
                      &fixture->change, &fixture->refusal);
}

enum map_outcome fixture_map(struct fixture *fixture, const char *payload)
{
    char *quoted = with_quotes(payload);
    enum map_outcome outcome = fixture_map_bytes(fixture, quoted, strlen(quoted));

    free(quoted);
    return outcome;
}

void fixture_accept(struct fixture *fixture, const char *payload)
{
    enum map_outcome outcome = fixture_map(fixture, payload);

    if (outcome != MAP_ACCEPTED)
        print_message("%s: %s\n", payload, fixture->refusal.detail);
    assert_int_equal(outcome, MAP_ACCEPTED);
    assert_non_null(fixture->change);
}

void fixture_refuse(struct fixture *fixture, const char *payload, enum refusal_reason reason,
                    const char *path)
{
    assert_int_equal(fixture_map(fixture, payload), MAP_REFUSED);
    assert_string_equal(refusal_reason_name(fixture->refusal.reason), refusal_reason_name(reason));
    assert_string_equal(fixture->refusal.path, path);
    assert_true(fixture->refusal.detail[0] != '\0');
}

static size_t column_index(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return i;
    fail_msg("table %s has no column %s", table->name, name);
    return 0;
}

const struct value *fixture_root(const struct fixture *fixture, const char *column)
{
    return &fixture->change->root[column_index(&mapping_entity(fixture->mapping)->root, column)];
}

bool fixture_sets(const struct fixture *fixture, const char *column)
{
    return fixture->change->root_set[column_index(&mapping_entity(fixture->mapping)->root, column)];
}

const struct value *fixture_cell(const struct fixture *fixture, size_t set, size_t row,
                                 const char *column)
{
    const struct entity *entity = mapping_entity(fixture->mapping);
    size_t child = 0;

    while (child + 1 < entity->child_count && entity_first_set(entity, child + 1) <= set)
        child++;
    assert_true(row < fixture->change->sets[set].count);
    return &fixture->change->sets[set]
                .rows[row][column_index(&entity->children[child].table, column)];
}

void assert_text(const struct value *value, const char *text)
{
    assert_true(value->present);
    assert_int_equal(value->len, strlen(text));
    assert_memory_equal(value->data, text, value->len);
}

void assert_number(const struct value *value, int64_t number)
{
    assert_true(value->present);
    assert_true(value->number == number);
}

void assert_absent(const struct value *value)
{
    assert_false(value->present);
}

void assert_leftovers(const struct fixture *fixture, const char *json)
{
    char *expected = with_quotes(json);
    char actual[4096] = "{";
    size_t len = 1;

    for (size_t i = 0; i < fixture->change->leftover_count; i++) {
        const struct json_pair *pair = &fixture->change->leftovers[i];

        len += (size_t)snprintf(actual + len, sizeof(actual) - len, "%s\"%.*s\": %.*s",
                                i > 0 ? ", " : "", SLICE_ARG(pair->name), SLICE_ARG(pair->text));
        assert_true(len < sizeof(actual) - 1);
    }
    memcpy(actual + len, "}", 2);
    assert_string_equal(actual, expected);
    free(expected);
}

void assert_names(const struct fixture *fixture, const char *names)
{
    char actual[1024] = "";
    size_t len = 0;

    for (size_t i = 0; i < fixture->change->name_count; i++) {
        len += (size_t)snprintf(actual + len, sizeof(actual) - len, "%s%.*s", i > 0 ? " " : "",
                                SLICE_ARG(fixture->change->names[i]));
        assert_true(len < sizeof(actual));
    }
    assert_string_equal(actual, names);
}

void assert_counts(const struct fixture *fixture, unsigned misfits, unsigned broken)
{
    assert_int_equal(fixture->change->misfits, misfits);
    assert_int_equal(fixture->change->broken, broken);
}
