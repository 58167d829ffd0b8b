/* kopru.cfg when memory runs out at any point: all of it is read, or the answer is "no memory". */
#include "config/settings.h"

#include "scarce_memory.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char GOOD[] = "erp = { time_zone = \"UTC\"; };\n"
                           "amqp = { uri = \"amqps://kopru@h:5671/prod\"; password_file = "
                           "\"kopru.cfg\"; verify_peer = false; heartbeat = 30; };\n"
                           "@include \"more.cfg\"\n"
                           "entity_files = [ \"a.cfg\", \"b.cfg\" ];\n"
                           "queues = ( { name = \"q\"; entity = \"a\"; }, { name = \"r\"; entity = "
                           "\"b\"; prefetch = 4000; order = \"timestamp\"; } );\n"
                           "limits = { max_message_bytes = 65536; };\n"
                           "log = { level = \"debug\"; format = \"json\"; };\n";

static const char MORE[] =
    "postgres = { conninfo = \"host=a dbname=b user=c\"; statement_timeout = 20; };\n";

/* Mistakes of every kind that settings_load() goes on behind. */
static const char BAD[] =
    "erp = { time_zone = \"Nowhere\"; tme_zone = \"UTC\"; };\n"
    "amqp = { uri = \"amqp://u:p@h\"; password_file = \"missing\"; cert_file = \"\"; heartbeat = "
    "\"x\"; };\n"
    "entity_files = [ \"a.cfg\", \"a.cfg\", \"\" ];\n"
    "queues = ( { name = \"q\"; entity = \"a\"; }, { name = \"q\"; entity = \"a\"; }, 5, { } );\n"
    "limits = { max_message_bytes = 16777216; max_unacknowledged_bytes = 1048576; max_depth = 0; "
    "};\n"
    "log = { level = \"loud\"; };\n";

static void assert_good(const struct settings *settings)
{
    assert_string_equal(settings->erp.time_zone, "UTC");
    assert_string_equal(settings->amqp.uri, "amqps://kopru@h:5671/prod");
    assert_non_null(strstr(settings->amqp.password_file, "/kopru.cfg"));
    assert_int_equal(settings->amqp.heartbeat_s, 30);
    assert_string_equal(settings->postgres.conninfo, "host=a dbname=b user=c");
    assert_string_equal(settings->http.listen, "127.0.0.1:9187");
    assert_int_equal(settings->entity_file_count, 2);
    assert_int_equal(settings->queue_count, 2);
    assert_string_equal(settings->queues[1].name, "r");
    assert_int_equal(settings->queues[1].order, QUEUE_ORDER_TIMESTAMP);
    assert_int_equal(settings->limits.max_message_bytes, 65536);
    assert_int_equal(settings->log.level, LOG_DEBUG);
}

static bool says_no_memory(const struct error_list *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].kind == ERROR_INTERNAL)
            return true;
    return false;
}

static void good_settings_are_complete_or_not_there(void **state)
{
    struct scratch scratch;
    struct scarce scarce = { 0 };
    const char *path;

    (void)state;
    scratch_init(&scratch);
    scratch_write(&scratch, "more.cfg", MORE);
    path = scratch_write(&scratch, "kopru.cfg", GOOD);
    while (scarce_next(&scarce)) {
        struct error_list problems;
        struct settings settings;
        int result;
        bool failed;

        error_list_init(&problems);
        result = settings_load(&settings, path, SETTINGS_ALL, &problems);
        failed = scarce_end(&scarce);
        if (result == 0) { /* with a failure, advice may be missing */
            assert_good(&settings);
            assert_int_equal(problems.count, 0);
            assert_true(failed || settings.advice.count == 2);
        } else {
            assert_true(failed);
            assert_true(scarce.lasting || says_no_memory(&problems));
        }
        settings_release(&settings);
        error_list_release(&problems);
    }
    assert_true(scarce.round > 30);
    scratch_release(&scratch);
}

static void bad_settings_never_load(void **state)
{
    static const enum settings_scope scopes[] = { SETTINGS_ALL, SETTINGS_MAPPING };
    struct scratch scratch;
    const char *path;

    (void)state;
    scratch_init(&scratch);
    path = scratch_write(&scratch, "kopru.cfg", BAD);
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        struct scarce scarce = { 0 };

        while (scarce_next(&scarce)) {
            struct error_list problems;
            struct settings settings;
            int result;

            error_list_init(&problems);
            result = settings_load(&settings, path, scopes[i], &problems);
            scarce_end(&scarce);
            assert_int_equal(result, -1);
            settings_release(&settings);
            error_list_release(&problems);
        }
        assert_true(scarce.round > 10);
    }
    scratch_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_settings_are_complete_or_not_there),
        cmocka_unit_test(bad_settings_never_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
