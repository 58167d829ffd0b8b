/* Whole payloads: the two that the ERP's owner prints, presence, the hash, and memory that runs
   out. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char CUSTOMER[] =
    "{\n'id': '134719',\n'status': 'Active',\n'name': 'Customer Name Here',\n'contactMedium': "
    "[\n{\n'characteristic': {\n"
    "'city': 'İSTANBUL(Anadolu)',\n'country': 'Türkiye',\n'phoneNumber': "
    "'5xxxxxxxxx',\n'socialNetworkId': '11111111111',\n"
    "'street1': 'içerenköy'\n}\n}\n]\n}\n";

static const char SUBSCRIPTION[] =
    "{\n'id':'123462',\n'agreementType':'Kiralama',\n'documentNumber':'108999',\n'name':'RAMAZAN "
    "ÖZEKİNCİ',\n'status':'Active',\n"
    "'characteristic':[\n{\n'name':'CAMPAIGN',\n'valueType':'String',\n'value':'24 AY "
    "TAAHHÜTLÜ'\n},\n"
    "{\n'name':'MONTAGEADRESS',\n'valueType':'String',\n"
    "'value':'PINAR MAH. ONDOKUZ MAYIS BLV. AK TOWERS NO:42 İÇ KAPI NO:84'\n},\n"
    "{\n'name':'MONTAGECOUNTY',\n'valueType':'String',\n'value':'ESENYURT'\n},\n"
    "{\n'name':'MONTAGECITY',\n'valueType':'String',\n'value':'İSTANBUL(Avrupa)'\n},\n"
    "{\n'name':'MONTAGE_DATE',\n'valueType':'Date',\n'value':'2021-08-16'\n},\n"
    "{\n'name':'TOTAL_PAST_DUE_INSTALMENT',\n'valueType':'Float',\n'value':'0.0'\n},\n"
    "{\n'name':'PANELBRAND',\n'valueType':'String',\n'value':'EBS'\n},\n"
    "{\n'name':'PANELMODEL',\n'valueType':'String',\n'value':'CPX-300W'\n},\n"
    "{\n'name':'PANELNO',\n'valueType':'String',\n'value':'1065885'\n},\n"
    "{\n'name':'SALESEMP','valueType':'String','value':'ÜMİT'\n},\n"
    "{\n'name':'STAGE','valueType':'String','value':'6 - Sinyal Alımı Gerçekleşti'\n}\n],\n"
    "'completionDate':{'endDateTime':'2023-08-16','startDateTime':'2021-08-13'},\n'engagedParty':[ "
    "{ 'id' : '134719' } ]\n}\n";

enum { DAY_2021_08_13 = 7895, DAY_2021_08_16 = 7898, DAY_2023_08_16 = 8628 };

static int64_t istanbul_midnight_us(int64_t day)
{
    return (day * 86400 - INT64_C(3) * 3600) * 1000000;
}

static void the_printed_customer_becomes_two_rows(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "etc/entities/customer.cfg");
    fixture_accept(fixture, CUSTOMER);
    assert_counts(fixture, 0, 0);
    assert_leftovers(fixture, "{}");
    assert_names(fixture, "contactMedium id name status");
    assert_text(fixture_root(fixture, "customer_id"), "134719");
    assert_text(fixture_root(fixture, "status"), "Active");
    assert_text(fixture_root(fixture, "name"), "Customer Name Here");
    assert_int_equal(fixture->change->sets[0].count, 1);
    assert_text(fixture_cell(fixture, 0, 0, "city"), "İSTANBUL(Anadolu)");
    assert_text(fixture_cell(fixture, 0, 0, "country"), "Türkiye");
    assert_text(fixture_cell(fixture, 0, 0, "phone_number"), "5xxxxxxxxx");
    assert_text(fixture_cell(fixture, 0, 0, "social_network_id"), "11111111111");
    assert_text(fixture_cell(fixture, 0, 0, "street1"), "içerenköy");
    assert_text(fixture_cell(fixture, 0, 0, "extra"), "{}");
    assert_absent(fixture_cell(fixture, 0, 0, "medium_type"));
    assert_absent(fixture_cell(fixture, 0, 0, "valid_from"));
}

static void the_printed_subscription_becomes_thirteen_rows(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "etc/entities/subscription.cfg");
    fixture_accept(fixture, SUBSCRIPTION);
    assert_counts(fixture, 0, 0);
    assert_leftovers(fixture, "{}");
    assert_text(fixture_root(fixture, "agreement_type"), "Kiralama");
    assert_text(fixture_root(fixture, "document_number"), "108999");
    assert_text(fixture_root(fixture, "name"), "RAMAZAN ÖZEKİNCİ");
    assert_number(fixture_root(fixture, "completion_start_date"), DAY_2021_08_13);
    assert_number(fixture_root(fixture, "completion_start"), istanbul_midnight_us(DAY_2021_08_13));
    assert_number(fixture_root(fixture, "completion_end_date"), DAY_2023_08_16);
    assert_number(fixture_root(fixture, "completion_end"), istanbul_midnight_us(DAY_2023_08_16));
    assert_int_equal(fixture->change->sets[0].count, 11);
    assert_text(fixture_cell(fixture, 0, 4, "name"), "MONTAGE_DATE");
    assert_text(fixture_cell(fixture, 0, 4, "value"), "2021-08-16");
    assert_number(fixture_cell(fixture, 0, 4, "value_date"), DAY_2021_08_16);
    assert_text(fixture_cell(fixture, 0, 5, "value_numeric"), "0.0");
    assert_text(fixture_cell(fixture, 0, 10, "value"), "6 - Sinyal Alımı Gerçekleşti");
    assert_absent(fixture_cell(fixture, 0, 10, "value_numeric"));
    assert_false(fixture->change->set_present[1]);
    assert_int_equal(fixture->change->sets[2].count, 1);
    assert_text(fixture_cell(fixture, 2, 0, "customer_id"), "134719");
}

static void only_named_properties_are_set(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "etc/entities/subscription.cfg");
    fixture_accept(fixture,
                   "{'z':null,'name':null,'id':'1','completionDate':{'startDateTime':'x'}}");
    assert_names(fixture, "completionDate id name z");
    assert_true(fixture_sets(fixture, "name"));
    assert_absent(fixture_root(fixture, "name"));
    assert_true(fixture_sets(fixture, "completion_start"));
    assert_true(fixture_sets(fixture, "completion_start_date"));
    assert_true(fixture_sets(fixture, "completion_end"));
    assert_true(fixture_sets(fixture, "completion_end_date"));
    assert_false(fixture_sets(fixture, "status"));
    assert_false(fixture_sets(fixture, "subscription_id"));
    assert_false(fixture_sets(fixture, "extra"));
    assert_false(fixture->change->replaces_extra);
    assert_false(fixture->change->set_present[0]);
    assert_leftovers(fixture, "{'completionDate': {'startDateTime': 'x'}}");
}

static void an_entity_may_clear_what_is_absent(void **state)
{
    struct fixture *fixture = *state;

    fixture_load_text(
        fixture,
        "entity = 'x'; table = 'xs'; absent = 'clear'; key = { column = 'x_id'; path = 'id'; };\n"
        "columns = ( { column = 'a'; path = [ 'p.a', 'a' ]; }, { column = 'b'; path = 'b'; absent "
        "= 'clear'; } );\n"
        "children = ( { table = 'ys'; arrays = [ 'y' ]; key = ( { column = 'o'; ordinal = true; } "
        "); } );");
    fixture_accept(fixture, "{'id':'1','u':2,'b':'x'}");
    assert_names(fixture, "a b id p u y");
    assert_true(fixture->change->replaces_extra);
    assert_true(fixture_sets(fixture, "a"));
    assert_absent(fixture_root(fixture, "a"));
    assert_text(fixture_root(fixture, "b"), "x");
    assert_true(fixture->change->set_present[0]);
    assert_int_equal(fixture->change->sets[0].count, 0);
    assert_leftovers(fixture, "{'u': 2}");
}

static void single_properties_may_be_cleared_when_absent(void **state)
{
    struct fixture *fixture = *state;

    fixture_load_text(
        fixture,
        "entity = 'x'; table = 'xs'; absent = 'keep'; key = { column = 'x_id'; path = 'id'; };\n"
        "columns = ( { column = 'a'; path = [ 'p.a', 'a' ]; absent = 'clear'; },\n"
        "            { column = 'c'; path = 'p.c'; }, { column = 'b'; path = 'b'; absent = 'keep'; "
        "} );\n"
        "children = ( { table = 'ys'; arrays = [ 'y', 'z' ]; array_name_column = 'n'; absent = "
        "'clear';\n"
        "               key = ( { column = 'o'; ordinal = true; } ); },\n"
        "             { table = 'ws'; arrays = [ 'w' ]; key = ( { column = 'o'; ordinal = true; } "
        "); } );");
    fixture_accept(fixture, "{'id':'1','z':[{}]}");
    assert_names(fixture, "a id p y z");
    assert_false(fixture->change->replaces_extra);
    assert_true(fixture_sets(fixture, "a"));
    assert_true(fixture_sets(fixture, "c")); /* below the same top-level name */
    assert_false(fixture_sets(fixture, "b"));
    assert_true(fixture->change->set_present[0]);
    assert_int_equal(fixture->change->sets[0].count, 0);
    assert_int_equal(fixture->change->sets[1].count, 1);
    assert_false(fixture->change->set_present[2]);
}

static void a_key_may_lie_deeper(void **state)
{
    struct fixture *fixture = *state;

    fixture_load_text(
        fixture, "entity = 'x'; table = 'xs'; key = { column = 'x_id'; path = 'header.number'; };");
    fixture_accept(fixture, "{'header':{'number':5,'x':null}}");
    assert_text(fixture_root(fixture, "x_id"), "5");
    assert_leftovers(fixture, "{'header': {'x': null}}");
    fixture_refuse(fixture, "{'header':7}", REFUSAL_MISSING_ID, "$.header.number");
    fixture_refuse(fixture, "{'header':{'number':[]}}", REFUSAL_INVALID_ID, "$.header.number");
}

static void the_hash_depends_on_body_mapping_and_zone(void **state)
{
    static const char entity[] =
        "entity = 'x'; table = 'xs'; key = { column = 'x_id'; path = 'id'; };";
    const struct mapping_rules utc = { "UTC", 1000, 64 };
    struct fixture *fixture = *state;
    uint8_t first[DIGEST_BYTES];
    struct mapping *other;
    struct mapper *mapper;

    fixture_load_text(fixture, entity);
    fixture_accept(fixture, "{'id':'1'}");
    memcpy(first, fixture->change->hash, sizeof(first));
    fixture_accept(fixture, "{'id':'1'}");
    assert_memory_equal(fixture->change->hash, first, sizeof(first));
    fixture_accept(fixture, "{'id':'1'} ");
    assert_memory_not_equal(fixture->change->hash, first, sizeof(first));
    fixture_load_text(fixture,
                      "entity = 'x'; table = 'xs'; key = { column = 'x_id'; path = 'id'; };\n"
                      "columns = ( { column = 'a'; path = 'a'; } );");
    fixture_accept(fixture, "{'id':'1'}");
    assert_memory_not_equal(fixture->change->hash, first, sizeof(first));

    fixture_load(fixture, "etc/entities/customer.cfg");
    fixture_accept(fixture, "{'id':'1'}");
    memcpy(first, fixture->change->hash, sizeof(first));
    assert_int_equal(mapping_load(&other, "etc/entities/customer.cfg", &utc, &fixture->problems),
                     0);
    mapper = mapper_new(other);
    assert_non_null(mapper);
    assert_int_equal(mapper_map(mapper, SLICE_LITERAL("{\"id\":\"1\"}"), &fixture->arena,
                                &fixture->change, &fixture->refusal),
                     MAP_ACCEPTED);
    assert_memory_not_equal(fixture->change->hash, first, sizeof(first));
    mapper_free(mapper);
    mapping_free(other);
}

static void the_port_maps_as_the_functions_do(void **state)
{
    struct fixture *fixture = *state;
    struct mapper_port port;
    uint8_t hash[DIGEST_BYTES];
    void *mapper;

    fixture_load(fixture, "etc/entities/customer.cfg");
    fixture_accept(fixture, "{'id':'1'}");
    memcpy(hash, fixture->change->hash, sizeof(hash));
    port = mapping_port(fixture->mapping);
    assert_int_equal(port.arena_limit(port.context), mapper_arena_limit(fixture->mapping));
    mapper = port.open(port.context);
    assert_non_null(mapper);
    assert_int_equal(port.map(mapper, SLICE_LITERAL("{\"id\":\"1\"}"), &fixture->arena,
                              &fixture->change, &fixture->refusal),
                     MAP_ACCEPTED);
    assert_text(fixture_root(fixture, "customer_id"), "1");
    assert_memory_equal(fixture->change->hash, hash, sizeof(hash));
    assert_int_equal(
        port.map(mapper, SLICE_LITERAL("[]"), &fixture->arena, &fixture->change, &fixture->refusal),
        MAP_REFUSED);
    assert_int_equal(fixture->refusal.reason, REFUSAL_NOT_OBJECT);
    port.close(mapper);
}

/* Tries every size of arena up to one that is enough, so that each allocation fails once. */
static void what_the_arena_does_not_hold_is_too_large(void **state)
{
    static const char payload[] = "{\"\\u0069d\":\"1\",\"x\":{\"\\u0061\":1},\"characteristic\":[{"
                                  "\"n\\u0061me\":\"\\u0041\",\"valueType\":"
                                  "\"Int\",\"value\":1e3,\"q\":[1e2]},{\"name\":\"A\"},7],"
                                  "\"completionDate\":{\"z\":{}},\"engagedParty\":{}}";
    struct fixture *fixture = *state;
    enum map_outcome outcome = MAP_NO_MEMORY;
    size_t failures = 0;
    size_t with_id = 0;

    fixture_load(fixture, "etc/entities/subscription.cfg");
    for (size_t bytes = 0; outcome != MAP_ACCEPTED && bytes < 65536; bytes += 16) {
        struct arena arena;

        arena_init(&arena, bytes);
        outcome = mapper_map(fixture->mapper, slice_of(payload), &arena, &fixture->change,
                             &fixture->refusal);
        if (outcome != MAP_ACCEPTED) {
            assert_int_equal(outcome, MAP_REFUSED);
            assert_int_equal(fixture->refusal.reason, REFUSAL_TOO_LARGE);
            assert_null(fixture->change);
            with_id += slice_is(fixture->refusal.entity_id, "1");
            failures++;
        }
        arena_release(&arena);
    }
    assert_int_equal(outcome, MAP_ACCEPTED);
    assert_true(failures > 50);
    assert_true(with_id > 0 && with_id < failures);
}

/* Repeats unit until the largest body is full, or its numbers, each unit's written out longer by
   `growth` bytes, are as long as one. */
static enum map_outcome map_repeated(struct fixture *fixture, const char *before, const char *unit,
                                     size_t growth, const char *after)
{
    enum map_outcome outcome;
    char *body = malloc(60001);
    size_t len = (size_t)snprintf(body, 60001, "%s%s", before, unit);
    size_t grown = growth;

    while (len + strlen(unit) + 1 + strlen(after) < 60000 && grown + growth < 60000) {
        len += (size_t)snprintf(body + len, 60001 - len, ",%s", unit);
        grown += growth;
    }
    snprintf(body + len, 60001 - len, "%s", after);
    outcome = fixture_map(fixture, body);
    free(body);
    return outcome;
}

static void accept_repeated(struct fixture *fixture, const char *before, const char *unit,
                            size_t growth, const char *after)
{
    assert_int_equal(map_repeated(fixture, before, unit, growth, after), MAP_ACCEPTED);
}

/* What had been made of a message that is too large is freed. */
static void refuse_repeated(struct fixture *fixture, const char *before, const char *unit,
                            const char *after)
{
    assert_int_equal(map_repeated(fixture, before, unit, 0, after), MAP_REFUSED);
    assert_int_equal(fixture->refusal.reason, REFUSAL_TOO_LARGE);
    assert_true(slice_is(fixture->refusal.entity_id, "1"));
    assert_true(fixture->arena.used_bytes < 4096);
}

static void bodies_of_tiny_elements_become_too_large(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "etc/entities/customer.cfg");
    refuse_repeated(fixture, "{'id':'1','contactMedium':[", "{}", "]}");
    fixture_load(fixture, "etc/entities/subscription.cfg");
    refuse_repeated(fixture, "{'id':'1','characteristic':[", "{}", "]}");
}

/* Each row goes to the server with the id of its root. */
static void a_long_id_counts_in_every_row(void **state)
{
    struct fixture *fixture = *state;
    char before[400];
    char id[256];

    fixture_load(fixture, "etc/entities/subscription.cfg");
    accept_repeated(fixture, "{'id':'1','engagedParty':[", "{'id':1}", 0, "]}");
    memset(id, 'i', sizeof(id));
    snprintf(before, sizeof(before), "{'id':'%.*s','engagedParty':[", 255, id);
    assert_int_equal(map_repeated(fixture, before, "{'id':1}", 0, "]}"), MAP_REFUSED);
    assert_int_equal(fixture->refusal.reason, REFUSAL_TOO_LARGE);
}

static void the_limit_is_enough_for_long_numbers_and_small_elements(void **state)
{
    struct fixture *fixture = *state;
    char entity[16384];
    size_t len;

    fixture_load(fixture, "etc/entities/customer.cfg");
    accept_repeated(fixture, "{'id':'1','contactMedium':[", "{'mediumType':'a','city':'b'}", 0,
                    "]}");
    accept_repeated(fixture, "{'id':'1','contactMedium':[", "{'':1e64}", 64, "]}");
    accept_repeated(fixture, "{'id':'1','contactMedium':[", "1e64", 64, "]}");
    accept_repeated(fixture, "{'id':'1','x':[", "1e64", 64, "]}");
    fixture_load(fixture, "etc/entities/subscription.cfg");
    accept_repeated(fixture, "{'id':'1','characteristic':[",
                    "{'name':'\\n','valueType':'Int','value':1e999}", 999, "]}");
    accept_repeated(fixture, "{'id':'1','characteristic':[", "{'name':'a'}", 0, "]}");
    accept_repeated(fixture, "{'id':'1','engagedParty':[", "{'id':'12'}", 0, "]}");

    /* The widest table that an entity file may have, fed with the numbers that grow most. */
    len = (size_t)snprintf(entity, sizeof(entity),
                           "entity = 'x'; table = 'xs'; key = { column = 'x_id'; path = 'id'; };\n"
                           "children = ( { table = 'ys'; arrays = [ 'y' ]; columns = (");
    for (int i = 0; i < 125; i++)
        len += (size_t)snprintf(entity + len, sizeof(entity) - len,
                                "%s{ column = 'c%d'; path = '%c%d'; type = 'numeric'; }",
                                i > 0 ? ", " : " ", i, 'a' + i % 26, i / 26);
    snprintf(entity + len, sizeof(entity) - len,
             " ); key = ( { column = 'o'; ordinal = true; } ); } );");
    fixture_load_text(fixture, entity);
    refuse_repeated(fixture, "{'id':'1','y':[", "{}", "]}");
    accept_repeated(fixture, "{'id':'1','y':[", "{'a0':1e999,'b0':1e999,'c0':1e999}", 2997, "]}");
}

/* Every beginning of a payload, and the payload with each byte replaced, is accepted or refused. */
static void damaged_payloads_are_accepted_or_refused(void **state)
{
    static const char bytes[] = "\0\"\\{}[],:0e-tn \x80\xFF";
    struct fixture *fixture = *state;
    size_t len = strlen(SUBSCRIPTION);
    char *body = strdup(SUBSCRIPTION);

    assert_non_null(body);
    for (size_t i = 0; i < len; i++)
        if (body[i] == '\'')
            body[i] = '"';
    fixture_load(fixture, "etc/entities/subscription.cfg");
    for (size_t i = 0; i < len - 2; i++) {
        assert_int_equal(fixture_map_bytes(fixture, body, i), MAP_REFUSED);
        assert_true(fixture->refusal.reason == REFUSAL_NOT_JSON ||
                    fixture->refusal.reason == REFUSAL_INVALID_UNICODE);
    }
    for (size_t i = 0; i < len; i++) {
        char original = body[i];

        for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
            body[i] = bytes[b];
            assert_int_not_equal(fixture_map_bytes(fixture, body, len), MAP_NO_MEMORY);
        }
        body[i] = original;
    }
    free(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_printed_customer_becomes_two_rows),
        TEST(the_printed_subscription_becomes_thirteen_rows),
        TEST(only_named_properties_are_set),
        TEST(an_entity_may_clear_what_is_absent),
        TEST(single_properties_may_be_cleared_when_absent),
        TEST(a_key_may_lie_deeper),
        TEST(the_hash_depends_on_body_mapping_and_zone),
        TEST(the_port_maps_as_the_functions_do),
        TEST(what_the_arena_does_not_hold_is_too_large),
        TEST(bodies_of_tiny_elements_become_too_large),
        TEST(a_long_id_counts_in_every_row),
        TEST(the_limit_is_enough_for_long_numbers_and_small_elements),
        TEST(damaged_payloads_are_accepted_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
