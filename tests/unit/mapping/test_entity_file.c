/* What entity files become, and how each mistake in them is reported. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Lines 1 and 2 of most files below. */
#define HEAD "entity = 'thing'; table = 'things';\nkey = { column = 'thing_id'; path = 'id'; };\n"
#define CHILD_HEAD HEAD "children = ( { table = 'parts'; arrays = [ 'part' ];\n"
#define CHILD_KEY "key = ( { column = 'position'; ordinal = true; } ); } );\n"

/* The file has one problem, at that line, and its texts hold why and hint. */
static void refuse(struct fixture *fixture, const char *text, unsigned line, const char *why,
                   const char *hint)
{
    const struct error *err;
    char place[32];

    assert_int_equal(fixture_try_text(fixture, text), -1);
    assert_null(fixture->mapping);
    err = fixture->problems.items;
    if (fixture->problems.count != 1 || strstr(err->why, why) == NULL ||
        strstr(err->hint, hint) == NULL)
        for (size_t i = 0; i < fixture->problems.count; i++)
            print_message("%s \"%s\": %s (%s)\n", err[i].what, err[i].subject, err[i].why,
                          err[i].hint);
    assert_int_equal(fixture->problems.count, 1);
    assert_int_equal(err->kind, ERROR_CONFIG);
    snprintf(place, sizeof(place), "entity.cfg:%u", line);
    assert_non_null(strstr(err->subject, place));
    assert_non_null(strstr(err->why, why));
    assert_non_null(strstr(err->hint, hint));
}

static void assert_columns(const struct table *table, const char *expected)
{
    char actual[1024] = "";
    size_t len = 0;

    for (size_t i = 0; i < table->column_count; i++)
        len += (size_t)snprintf(actual + len, sizeof(actual) - len, "%s%s:%d", i > 0 ? " " : "",
                                table->columns[i].name, (int)table->columns[i].type);
    assert_string_equal(actual, expected);
    assert_int_equal(table->extra, table->column_count - 1);
}

static void the_shipped_files_are_the_contract_s_tables(void **state)
{
    struct fixture *fixture = *state;
    const struct entity *entity;

    fixture_load(fixture, "etc/entities/customer.cfg");
    entity = mapping_entity(fixture->mapping);
    assert_string_equal(entity->name, "customer");
    assert_string_equal(entity->root.name, "customers");
    assert_int_equal(entity->root.key_count, 1);
    assert_columns(&entity->root, "customer_id:0 status:0 name:0 extra:5");
    assert_int_equal(entity->child_count, 1);
    assert_int_equal(entity->set_count, 1);
    assert_string_equal(entity->children[0].table.name, "contact_mediums");
    assert_int_equal(entity->children[0].table.key_count, 2);
    assert_false(entity->children[0].has_set_column);
    assert_columns(&entity->children[0].table,
                   "customer_id:0 position:6 medium_type:0 preferred:4 contact_type:0 city:0 "
                   "state_or_province:0 country:0 "
                   "post_code:0 street1:0 street2:0 phone_number:0 fax_number:0 email_address:0 "
                   "social_network_id:0 valid_from:3 "
                   "valid_from_date:2 valid_to:3 valid_to_date:2 extra:5");

    fixture_load(fixture, "etc/entities/subscription.cfg");
    entity = mapping_entity(fixture->mapping);
    assert_string_equal(entity->name, "subscription");
    assert_columns(
        &entity->root,
        "subscription_id:0 agreement_type:0 document_number:0 name:0 status:0 completion_start:3 "
        "completion_start_date:2 completion_end:3 completion_end_date:2 extra:5");
    assert_int_equal(entity->child_count, 2);
    assert_int_equal(entity->set_count, 3);
    assert_true(entity->children[0].has_set_column);
    assert_int_equal(entity->children[0].table.key_count, 4);
    assert_int_equal(entity->children[0].set_count, 2);
    assert_string_equal(entity->children[0].sets[0].array, "characteristic");
    assert_string_equal(entity->children[0].sets[1].array, "properties");
    assert_columns(
        &entity->children[0].table,
        "subscription_id:0 bag:0 name:0 occurrence:6 value_type:0 value:0 value_numeric:1 "
        "value_date:2 value_timestamp:3 value_boolean:4 extra:5");
    assert_int_equal(entity->children[1].table.key_count, 3);
    assert_columns(
        &entity->children[1].table,
        "subscription_id:0 customer_id:0 occurrence:6 name:0 role:0 referred_type:0 extra:5");
}

static void settings_that_are_missing_are_named(void **state)
{
    static const char *const files[][2] = {
        { "table = 'things'; key = { column = 'thing_id'; path = 'id'; };",
          "missing setting entity" },
        { "entity = 'thing'; key = { column = 'thing_id'; path = 'id'; };",
          "missing setting table" },
        { "entity = 'thing'; table = 'things';", "missing setting key" },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        assert_int_equal(fixture_try_text(fixture, files[i][0]), -1);
        assert_int_equal(fixture->problems.count, 1);
        assert_string_equal(fixture->problems.items[0].what, files[i][1]);
        assert_non_null(strstr(fixture->problems.items[0].subject, "entity.cfg"));
    }
}

/* A name of one letter that takes one byte and 49 letters that take two: byte 80 is in the middle
   of a letter. */
static void long_names_are_repeated_in_whole_letters(void **state)
{
    struct fixture *fixture = *state;
    char letters[2 * 49 + 1];
    char text[512];
    char shown[128];

    for (size_t i = 0; i + 1 < sizeof(letters); i++)
        letters[i] = i % 2 == 0 ? '\xc3' : '\xbc';
    letters[sizeof(letters) - 1] = '\0';
    snprintf(text, sizeof(text),
             "entity = 'a%s'; table = 'things';\nkey = { column = 'thing_id'; path = 'id'; };",
             letters);
    snprintf(shown, sizeof(shown), "\"a%.78s\": ", letters);
    refuse(fixture, text, 1, shown, "");
}

static void names_must_be_plain(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture,
           "entity = 'Thing'; table = 'things';\nkey = { column = 'thing_id'; path = 'id'; };", 1,
           "not a plain name", "");
    refuse(fixture,
           "entity = 'thing';\ntable = 'my.things';\nkey = { column = 'thing_id'; path = 'id'; };",
           2, "not a plain name", "");
    refuse(fixture, HEAD "columns = (\n{ column = 'Name'; path = 'a'; } );", 4, "not a plain name",
           "migration");
    refuse(fixture, HEAD "columns = (\n{ column = '1a'; path = 'a'; } );", 4, "not a plain name",
           "migration");
    refuse(fixture,
           HEAD
           "columns = ( { column = "
           "'a23456789_123456789_123456789_123456789_123456789_123456789_1234'; path = 'a'; } );",
           3, "63 bytes", "");
    fixture_load_text(
        fixture,
        HEAD "columns = ( { column = "
             "'a23456789_123456789_123456789_123456789_123456789_123456789_123'; path = 'a'; } );");
}

static void a_column_stands_once(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture,
           HEAD "columns = ( { column = 'a'; path = 'a'; },\n{ column = 'a'; path = 'b'; } );", 4,
           "already has a column \"a\"", "[ \"a.x\", \"x\" ]");
    refuse(fixture, HEAD "columns = (\n{ column = 'thing_id'; path = 'b'; } );", 4,
           "already has a column \"thing_id\"", "");
    refuse(fixture,
           HEAD "columns = ( { column = 'a_date'; path = 'b'; },\n{ column = 'a'; path = 'a'; type "
                "= 'timestamptz';\ndate_column = 'a_date'; } );",
           5, "already has a column \"a_date\"", "");
    refuse(fixture, CHILD_HEAD "columns = (\n{ column = 'thing_id'; path = 'x'; } );" CHILD_KEY, 5,
           "already has a column \"thing_id\"", "");
    refuse(fixture, CHILD_HEAD "columns = (\n{ column = 'position'; path = 'x'; } );" CHILD_KEY, 5,
           "already has a column \"position\"", "");
}

static void kopru_s_own_names_are_taken(void **state)
{
    static const char *const own[] = { "payload_hash", "source_time", "created_at", "updated_at",
                                       "extra" };
    struct fixture *fixture = *state;
    char text[512];

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        snprintf(text, sizeof(text), HEAD "columns = (\n{ column = '%s'; path = 'a'; } );", own[i]);
        refuse(fixture, text, 4, "kopru itself fills", "another name");
    }
    refuse(fixture, CHILD_HEAD "columns = (\n{ column = 'extra'; path = 'x'; } );" CHILD_KEY, 5,
           "kopru itself fills", "");
    fixture_load_text(fixture,
                      CHILD_HEAD "columns = ( { column = 'created_at'; path = 'x'; } );" CHILD_KEY);
    refuse(
        fixture,
        "entity = 'thing';\ntable = 'dead_letters';\nkey = { column = 'thing_id'; path = 'id'; };",
        2, "one of kopru's own tables", "");
    refuse(fixture, HEAD "children = (\n{ table = 'things'; arrays = [ 'part' ]; " CHILD_KEY, 4,
           "already used in this file", "arrays");
}

static void keys_and_columns_need_their_settings(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "entity = 'thing'; table = 'things';\nkey = { path = 'id'; };", 2, "no default",
           "");
    refuse(fixture, "entity = 'thing'; table = 'things';\nkey = { column = 'thing_id'; };", 2,
           "no default", "");
    refuse(fixture, HEAD "columns = (\n{ path = 'a'; } );", 4, "no default", "");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; } );", 4, "no default", "path = ");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = []; } );", 4, "1 to 8", "");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = 7; } );", 4, "a string", "");
    refuse(fixture, HEAD "columns = (\n'a' );", 4, "a group", "");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = 'a'; source = 'b'; } );", 4,
           "no setting of this name", "known here");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = 'a'; absend = 'keep'; } );", 4,
           "no setting of this name", "did you mean \"absent\"?");
    refuse(fixture, HEAD "colums = ();", 3, "no setting of this name", "columns");
}

static void paths_have_a_syntax_and_one_column_each(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = '$.a'; } );", 4, "without", "dots");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = 'a..b'; } );", 4, "empty name",
           "dots");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = [ 'x', 'a[0]' ]; } );", 4,
           "objects only", "dots");
    refuse(fixture,
           HEAD "columns = ( { column = 'a'; path = 'x.y'; },\n{ column = 'b'; path = 'x.y'; } );",
           4, "\"x.y\" is already used", "one column");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = 'id'; } );", 4,
           "\"id\" is already used", "");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = [ 'x', 'x' ]; } );", 4,
           "\"x\" is already used", "");
    refuse(fixture,
           HEAD "columns = ( { column = 'a'; path = 'x'; },\n{ column = 'b'; path = 'x.y'; } );", 4,
           "one of the two continues the other", "");
    refuse(fixture,
           HEAD "columns = ( { column = 'a'; path = 'x.y'; },\n{ column = 'b'; path = 'x'; } );", 4,
           "one of the two continues the other", "");
    refuse(fixture,
           "entity = 'thing'; table = 'things';\nkey = { column = 'thing_id'; path = 'id.'; };", 2,
           "empty name", "");
    refuse(fixture,
           HEAD "columns = (\n{ column = 'a'; path = 'part.x'; } );\nchildren = ( { table = "
                "'parts'; arrays = [ 'part' ]; " CHILD_KEY,
           4, "one of the two continues the other", "");
}

static void types_are_known(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = 'a'; type = 'timestamp'; } );", 4,
           "\"timestamptz\"", "did you mean \"timestamptz\"?");
    refuse(fixture,
           HEAD "columns = (\n{ column = 'a'; path = 'a'; type = 'date'; date_column = 'b'; } );",
           4, "only an instant", "timestamptz");
    refuse(fixture, HEAD "columns = (\n{ column = 'a'; path = 'a'; type = 'timestamptz'; } );", 4,
           "no default", "type date");
}

static void absence_is_told_once_per_property(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, HEAD "absent = 'drop';", 3, "\"keep\", \"clear\"", "");
    refuse(fixture,
           HEAD "columns = ( { column = 'a'; path = 'x.a'; absent = 'clear'; },\n{ column = 'b'; "
                "path = 'x.b'; absent = 'keep'; } );",
           4, "has another value of absent", "per top-level property");
    refuse(fixture,
           HEAD "absent = 'clear';\ncolumns = (\n{ column = 'a'; path = 'x'; absent = 'keep'; } );",
           5, "cannot keep single properties", "each property");
    refuse(fixture,
           HEAD "absent = 'clear';\nchildren = ( { table = 'parts'; arrays = [ 'part' ];\nabsent = "
                "'keep'; " CHILD_KEY,
           5, "cannot keep single properties", "");
    refuse(fixture,
           CHILD_HEAD "columns = (\n{ column = 'a'; path = 'x'; absent = 'clear'; } );" CHILD_KEY,
           5, "no setting of this name", "");
}

static void as_many_children_as_a_transaction_has_statements_for(void **state)
{
    struct fixture *fixture = *state;

    for (int count = ENTITY_MAX_CHILDREN; count <= ENTITY_MAX_CHILDREN + 1; count++) {
        char text[4096] = HEAD "children = (";
        size_t len = strlen(text);

        for (int i = 0; i < count; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len,
                                    "%s{ table = 't%d'; arrays = [ 'a%d' ]; key = ( { column = "
                                    "'n'; ordinal = true; } ); }",
                                    i > 0 ? "," : "", i, i);
        assert_true(len + 3 < sizeof(text));
        memcpy(text + len, ");", 3);
        if (count <= ENTITY_MAX_CHILDREN)
            fixture_load_text(fixture, text);
        else
            refuse(fixture, text, 3, "at most 16 child tables", "array_name_column");
    }
}

static void a_child_has_arrays(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, HEAD "children = (\n{ table = 'parts'; " CHILD_KEY, 4, "no default",
           "arrays = ");
    refuse(fixture, HEAD "children = (\n{ table = 'parts'; arrays = []; " CHILD_KEY, 4, "empty",
           "arrays = ");
    refuse(fixture, HEAD "children = (\n{ table = 'parts'; arrays = [ 'a', 'b' ]; " CHILD_KEY, 4,
           "no default", "tells them apart");
    refuse(fixture, HEAD "children = (\n{ table = 'parts'; arrays = [ 'a.b' ]; " CHILD_KEY, 4,
           "not a single name", "payload itself");
    refuse(fixture,
           HEAD "children = (\n{ table = 'parts'; arrays = [ 'a', 'a' ]; array_name_column = "
                "'n'; " CHILD_KEY,
           4, "\"a\" is already used", "");
    refuse(fixture, HEAD "children = (\n{ table = 'parts'; arrays = [ 'id' ]; " CHILD_KEY, 4,
           "\"id\" is already used", "");
    refuse(fixture, HEAD "children = (\n{ arrays = [ 'part' ]; " CHILD_KEY, 4, "no default", "");
}

static void a_child_s_key_has_one_ordinal(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, HEAD "children = (\n{ table = 'parts'; arrays = [ 'part' ]; } );", 4,
           "no default", "ordinal = true");
    refuse(fixture, CHILD_HEAD "key = ( { column = 'a'; path = 'a'; } ); } );", 4, "no ordinal",
           "ordinal = true");
    refuse(fixture,
           CHILD_HEAD
           "key = ( { column = 'o'; ordinal = true; },\n{ column = 'p'; ordinal = true; } ); } );",
           5, "already has an ordinal", "");
    refuse(fixture,
           CHILD_HEAD "key = ( { column = 'a'; path = 'a'; },\n{ column = 'o'; path = 'o'; "
                      "ordinal_within = 'a'; } ); } );",
           5, "two sources", "ordinal_within");
    refuse(fixture,
           CHILD_HEAD "key = ( { column = 'o'; ordinal = true; },\n{ column = 'a'; } ); } );", 5,
           "no source", "ordinal_within");
    refuse(
        fixture,
        CHILD_HEAD
        "key = ( { column = 'a'; path = 'a'; },\n{ column = 'o'; ordinal_within = 'b'; } ); } );",
        5, "no such key column: \"b\"", "before this one");
    refuse(fixture, CHILD_HEAD "key = (\n{ column = 'o'; ordinal = false; } ); } );", 5, "false",
           "ordinal = true");
    refuse(fixture, CHILD_HEAD "key = (\n{ column = 'o'; ordinal = true; type = 'text'; } ); } );",
           5, "no setting of this name", "");
}

static void a_typed_value_has_a_text(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, CHILD_HEAD "typed_value =\n{ type_path = 't'; value_path = 'v'; }; " CHILD_KEY,
           4, "no default", "as it was sent");
    refuse(fixture, CHILD_HEAD "typed_value = { type_path = 't'; text = 'v'; };\n" CHILD_KEY, 4,
           "no default", "");
    refuse(fixture, CHILD_HEAD "typed_value = { value_path = 'v'; text = 'v'; };\n" CHILD_KEY, 4,
           "no default", "");
    refuse(fixture,
           CHILD_HEAD "typed_value = { type_path = 't'; value_path = 'v'; text = 'v';\ninteger = "
                      "'i'; }; " CHILD_KEY,
           5, "no setting of this name", "");
    refuse(fixture,
           CHILD_HEAD "typed_value = { type_path = 't'; value_path = 'v'; text = 'v';\nnumeric = "
                      "'v'; }; " CHILD_KEY,
           5, "already has a column \"v\"", "");
    refuse(fixture,
           CHILD_HEAD "typed_value = { type_path = 't'; value_path = 'v'; text = 'v'; timestamp = "
                      "'s'; };\n" CHILD_KEY,
           4, "no default", "type date");
    refuse(fixture,
           CHILD_HEAD
           "typed_value = { type_path = 't';\nvalue_path = 't'; text = 'v'; }; " CHILD_KEY,
           5, "\"t\" is already used", "");
}

static void every_problem_is_told_at_once(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        fixture_try_text(
            fixture,
            "entity = 'Thing'; tabel = 'things';\ncolumns = ( { column = 'a'; type = 'int'; } );"),
        -1);
    /* entity's name, tabel, table, key, path, type */
    assert_int_equal(fixture->problems.count, 6);
    assert_int_equal(fixture_try_text(fixture, ""), -1);
    assert_int_equal(fixture->problems.count, 3);
    assert_int_equal(fixture_try_text(fixture, "entity = ("), -1);
    assert_int_equal(fixture->problems.count, 1);
}

static void a_table_has_an_end(void **state)
{
    struct fixture *fixture = *state;
    char *text = malloc(20000);
    size_t len;

    assert_non_null(text);
    len = (size_t)snprintf(text, 20000, "%scolumns = ( { column = 'c0'; path = 'c0'; }", HEAD);
    for (int i = 1; i < 126; i++)
        len +=
            (size_t)snprintf(text + len, 20000 - len, ", { column = 'c%d'; path = 'c%d'; }", i, i);
    snprintf(text + len, 20000 - len, " );");
    fixture_load_text(fixture, text);
    assert_int_equal(mapping_entity(fixture->mapping)->root.column_count, 128);
    snprintf(text + len, 20000 - len,
             ",\n{ column = 'x'; path = 'x'; }, { column = 'y'; path = 'y'; } );");
    refuse(fixture, text, 4, "at most 128 columns", "extra");
    free(text);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    const struct mapping_rules rules = { "UTC", 1000, 64 };
    struct fixture *fixture = *state;
    struct mapping *mapping;

    assert_int_equal(mapping_load(&mapping, "etc/entities/nothing.cfg", &rules, &fixture->problems),
                     -1);
    assert_null(mapping);
    assert_int_equal(fixture->problems.count, 1);
    assert_non_null(strstr(fixture->problems.items[0].subject, "etc/entities/nothing.cfg"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_shipped_files_are_the_contract_s_tables),
        TEST(settings_that_are_missing_are_named),
        TEST(names_must_be_plain),
        TEST(long_names_are_repeated_in_whole_letters),
        TEST(a_column_stands_once),
        TEST(kopru_s_own_names_are_taken),
        TEST(keys_and_columns_need_their_settings),
        TEST(paths_have_a_syntax_and_one_column_each),
        TEST(types_are_known),
        TEST(absence_is_told_once_per_property),
        TEST(as_many_children_as_a_transaction_has_statements_for),
        TEST(a_child_has_arrays),
        TEST(a_child_s_key_has_one_ordinal),
        TEST(a_typed_value_has_a_text),
        TEST(every_problem_is_told_at_once),
        TEST(a_table_has_an_end),
        TEST(a_file_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
