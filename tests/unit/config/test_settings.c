#include "config/settings.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct fixture {
    struct scratch scratch;
    struct settings settings;
    struct error_list problems;
};

static const char *const VARIABLES[] = { "KOPRU_AMQP_URI", "KOPRU_POSTGRES_CONNINFO",
                                         "KOPRU_HTTP_LISTEN", "KOPRU_LOG_LEVEL" };

/* The least that a file must say; a test puts its own lines behind it. */
#define AMQP "amqp = { uri = \"amqps://kopru@erp.example.com/prod\"; };\n"
#define POSTGRES "postgres = { conninfo = \"host=db1 dbname=crm\"; };\n"
#define ENTITY_FILES "entity_files = [ \"customer.cfg\" ];\n"
#define QUEUES "queues = ( { name = \"q\"; entity = \"customer\"; } );\n"
#define LEAST AMQP POSTGRES ENTITY_FILES QUEUES

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(VARIABLES[0]); i++)
        unsetenv(VARIABLES[i]);
    scratch_init(&fixture->scratch);
    error_list_init(&fixture->problems);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(VARIABLES[0]); i++)
        unsetenv(VARIABLES[i]);
    settings_release(&fixture->settings);
    error_list_release(&fixture->problems);
    scratch_release(&fixture->scratch);
    free(fixture);
    return 0;
}

static int load_scope(struct fixture *fixture, enum settings_scope scope, const char *text)
{
    settings_release(&fixture->settings);
    error_list_release(&fixture->problems);
    return settings_load(&fixture->settings, scratch_write(&fixture->scratch, "kopru.cfg", text),
                         scope, &fixture->problems);
}

static int load(struct fixture *fixture, const char *text)
{
    return load_scope(fixture, SETTINGS_ALL, text);
}

static struct settings *accept(struct fixture *fixture, const char *text)
{
    int result = load(fixture, text);

    assert_problem_count(&fixture->problems, 0);
    assert_int_equal(result, 0);
    return &fixture->settings;
}

static void refuse(struct fixture *fixture, const char *text, const char *place, const char *title,
                   const char *why)
{
    assert_int_equal(load(fixture, text), -1);
    assert_one_problem(&fixture->problems, place, title, why);
}

static void the_least_file_gets_the_defaults(void **state)
{
    struct settings *settings = accept(*state, LEAST);

    assert_string_equal(settings->erp.time_zone, "Europe/Istanbul");
    assert_string_equal(settings->amqp.uri, "amqps://kopru@erp.example.com/prod");
    assert_null(settings->amqp.password_file);
    assert_null(settings->amqp.ca_file);
    assert_null(settings->amqp.cert_file);
    assert_null(settings->amqp.key_file);
    assert_true(settings->amqp.verify_peer);
    assert_int_equal(settings->amqp.heartbeat_s, 20);
    assert_int_equal(settings->amqp.connect_timeout_ms, 10000);
    assert_int_equal(settings->amqp.rpc_timeout_ms, 10000);
    assert_string_equal(settings->postgres.conninfo, "host=db1 dbname=crm");
    assert_int_equal(settings->postgres.connect_timeout_ms, 10000);
    assert_int_equal(settings->postgres.statement_timeout_ms, 20000);
    assert_int_equal(settings->postgres.lock_timeout_ms, 5000);
    assert_int_equal(settings->entity_file_count, 1);
    assert_int_equal(settings->queue_count, 1);
    assert_string_equal(settings->queues[0].name, "q");
    assert_string_equal(settings->queues[0].entity, "customer");
    assert_int_equal(settings->queues[0].line, 4);
    assert_int_equal(settings->queues[0].writers, 2);
    assert_int_equal(settings->queues[0].prefetch, 2000);
    assert_int_equal(settings->queues[0].order, QUEUE_ORDER_DELIVERY);
    assert_int_equal(settings->limits.max_message_bytes, 1048576);
    assert_int_equal(settings->limits.max_depth, 64);
    assert_int_equal(settings->limits.max_unacknowledged_bytes, 33554432);
    assert_int_equal(settings->batch.max_messages, 500);
    assert_int_equal(settings->batch.max_bytes, 4194304);
    assert_int_equal(settings->quarantine.attempts, 10);
    assert_int_equal(settings->quarantine.span_ms, 300000);
    assert_int_equal(settings->breaker.share_ppm, 500000);
    assert_int_equal(settings->breaker.window, 1000);
    assert_int_equal(settings->breaker.probe_ms, 60000);
    assert_string_equal(settings->http.listen, "127.0.0.1:9187");
    assert_int_equal(settings->log.level, LOG_INFO);
    assert_int_equal(settings->log.format, LOG_FORMAT_AUTO);
    assert_int_equal(settings->shutdown_timeout_s, 30);
    assert_int_equal(settings->advice.count, 0);
}

static void what_the_file_says_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct settings *settings =
        accept(fixture,
               AMQP "postgres = { conninfo = \"\"; connect_timeout = 3; statement_timeout = 40; "
                    "lock_timeout = 39; };\n"
                    "queues = ( { name = \"q\"; entity = \"e\"; writers = 7; prefetch = 10; order "
                    "= \"timestamp\"; },\n"
                    "           { name = \"r\"; entity = \"f\"; } );\n"
                    "entity_files = ( \"sub/e.cfg\", \"/etc/f.cfg\" );\n"
                    "erp = { time_zone = \"America/New_York\"; };\n"
                    "limits = { max_depth = 5; max_unacknowledged_bytes = 8589934592L; };\n"
                    "http = { listen = \"\"; }; log = { level = \"debug\"; format = \"json\"; };\n"
                    "shutdown_timeout = 41;\n");
    char resolved[256];

    assert_string_equal(settings->postgres.conninfo, "");
    assert_int_equal(settings->postgres.statement_timeout_ms, 40000);
    assert_int_equal(settings->postgres.lock_timeout_ms, 39000);
    assert_int_equal(settings->queue_count, 2);
    assert_int_equal(settings->queues[0].writers, 7);
    assert_int_equal(settings->queues[0].order, QUEUE_ORDER_TIMESTAMP);
    assert_int_equal(settings->queues[1].writers, 2);
    assert_int_equal(settings->queues[1].line, 4);
    snprintf(resolved, sizeof(resolved), "%s/sub/e.cfg", fixture->scratch.directory);
    assert_string_equal(settings->entity_files[0], resolved);
    assert_string_equal(settings->entity_files[1], "/etc/f.cfg");
    assert_string_equal(settings->erp.time_zone, "America/New_York");
    assert_int_equal(settings->limits.max_unacknowledged_bytes, INT64_C(8589934592));
    assert_string_equal(settings->http.listen, "");
    assert_int_equal(settings->log.level, LOG_DEBUG);
    assert_int_equal(settings->log.format, LOG_FORMAT_JSON);
    assert_int_equal(settings->shutdown_timeout_s, 41);
}

static void numbers_do_not_wrap(void **state)
{
    refuse(*state, LEAST "limits = {\n max_depth = 4294967301L;\n};\n", "kopru.cfg:6",
           "limits.max_depth", "it is 4294967301, and must be 1 to 1000 levels");
    refuse(*state, LEAST "limits = {\n max_depth = 4294967301;\n};\n", "kopru.cfg:6",
           "cannot read the configuration", "more than 32 bits lacks the suffix L");
}

static void what_has_no_default_must_be_there(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(load(fixture, ""), -1);
    assert_problem_count(&fixture->problems, 4);
    assert_true(has_problem(&fixture->problems,
                            "kopru.cfg\": it has no default (hint: or set KOPRU_AMQP_URI)"));
    assert_true(has_problem(&fixture->problems, "missing setting postgres.conninfo"));
    assert_true(has_problem(&fixture->problems, "missing setting entity_files"));
    assert_true(has_problem(&fixture->problems, "missing setting queues"));

    refuse(fixture, "amqp = {\n};\n" POSTGRES ENTITY_FILES QUEUES, "kopru.cfg:1",
           "missing setting amqp.uri", "no default");
    refuse(fixture, AMQP POSTGRES QUEUES "entity_files = [ ];\n", "kopru.cfg:4", "entity_files",
           "empty");
    refuse(fixture, AMQP POSTGRES ENTITY_FILES "queues = ( );\n", "kopru.cfg:4", "queues", "empty");
}

static void mapping_needs_no_servers(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(load_scope(fixture, SETTINGS_MAPPING, ENTITY_FILES), 0);
    assert_null(fixture->settings.amqp.uri);
    assert_int_equal(fixture->settings.queue_count, 0);
    assert_int_equal(load_scope(fixture, SETTINGS_MAPPING,
                                ENTITY_FILES "amqp = { password_file = \"absent\"; };\n"),
                     0);
    assert_int_equal(load_scope(fixture, SETTINGS_MAPPING, ""), -1);
    assert_one_problem(&fixture->problems, "kopru.cfg", "missing setting entity_files", NULL);
    assert_int_equal(
        load_scope(fixture, SETTINGS_MAPPING, ENTITY_FILES "amqp = { heartbeat = \"x\"; };\n"), -1);
    assert_one_problem(&fixture->problems, "kopru.cfg:2", "amqp.heartbeat",
                       "an integer is expected");
    assert_int_equal(
        load_scope(fixture, SETTINGS_MAPPING, ENTITY_FILES "queues = ( { name = \"q\"; } );\n"),
        -1);
    assert_one_problem(&fixture->problems, "kopru.cfg:2", "missing setting queues[0].entity", NULL);
}

static void only_the_endpoint_is_read_for_it(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(load_scope(fixture, SETTINGS_HTTP, ""), 0);
    assert_string_equal(fixture->settings.http.listen, "127.0.0.1:9187");
    assert_int_equal(load_scope(fixture, SETTINGS_HTTP,
                                "http = { listen = \"[::1]:80\"; };\nqueues = 5;\nbogus = 1;\n"
                                "amqp = { heartbeat = \"x\"; };\n"),
                     0);
    assert_string_equal(fixture->settings.http.listen, "[::1]:80");
    assert_null(fixture->settings.amqp.uri);
    assert_int_equal(load_scope(fixture, SETTINGS_HTTP, "http = { listen = \"here\"; };\n"), -1);
    assert_one_problem(&fixture->problems, "kopru.cfg:1", "http.listen", "it is not host:port");
    assert_int_equal(load_scope(fixture, SETTINGS_HTTP, "http = {\n"), -1);
    assert_int_equal(fixture->problems.count, 1);
}

static void unknown_settings(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(load(fixture,
                          LEAST "shutdown_timout = 3;\nlimit = { };\nlog = { levle = \"info\"; };\n"
                                "/* a\n comment */ batch = { writers = 3; };\n"),
                     -1);
    assert_problem_count(&fixture->problems, 4);
    assert_true(has_problem(&fixture->problems, "did you mean \"shutdown_timeout\"?"));
    assert_true(has_problem(&fixture->problems, "did you mean \"limits\"?"));
    assert_true(has_problem(
        &fixture->problems,
        "kopru.cfg:7\": no setting of this name is known here (hint: did you mean \"level\"?)"));
    assert_true(has_problem(
        &fixture->problems,
        "kopru.cfg:9\": no setting of this name is known here (hint: known here: max_messages, "
        "max_bytes)"));
    refuse(fixture,
           AMQP POSTGRES ENTITY_FILES
           "queues = ( { nam = \"x\"; name = \"q\"; entity = \"e\"; } );\n",
           "kopru.cfg:4", "queues[0].nam", "no setting of this name");
}

static void all_problems_come_at_once(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(load(fixture, "amqp = { uri = \"http://x\"; heartbeat = 0; };\npostgres = "
                                   "7;\nentity_files = \"one\";\n"
                                   "queues = ( { name = \"\"; entity = 3; writers = 100; prefetch "
                                   "= 65536; order = \"fifo\"; }, 4 );\n"
                                   "erp = { time_zone = \"Europe/Ankara\"; };\n"),
                     -1);
    assert_problem_count(&fixture->problems, 12);
    assert_int_equal(fixture->settings.queue_count, 0);
    assert_string_equal(fixture->settings.erp.time_zone, "Europe/Istanbul");
    assert_true(has_problem(&fixture->problems,
                            "kopru.cfg:1\": it does not begin with amqp:// or amqps://"));
    assert_true(has_problem(&fixture->problems, "it is 100, and must be 1 to 64 connections"));
    assert_true(has_problem(&fixture->problems, "it is 65536, and must be 1 to 65535 messages"));
}

static void queues_are_told_apart(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture,
           AMQP POSTGRES ENTITY_FILES
           "queues = (\n{ name = \"q\"; entity = \"a\"; },\n{ name = \"q\"; entity = \"b\"; } );\n",
           "kopru.cfg:6", "queues[1]", "queue \"q\" is already in line 5");
    refuse(fixture,
           AMQP POSTGRES ENTITY_FILES
           "queues = (\n{ name = \"q\"; entity = \"a\"; },\n{ name = \"r\"; entity = \"a\"; } );\n",
           "kopru.cfg:6", "queues[1]",
           "between two queues there is no order, so the message published last could not win");
    refuse(fixture, AMQP POSTGRES QUEUES "entity_files = [ \"a.cfg\", \"a.cfg\" ];\n",
           "kopru.cfg:4", "entity_files[1]", "listed twice");
    refuse(fixture, LEAST QUEUES, "kopru.cfg:5", "cannot read", "duplicate setting name");
}

static void a_queue_name_has_255_bytes(void **state)
{
    struct fixture *fixture = *state;
    char text[1024];
    char name[258];

    memset(name, 'q', sizeof(name));
    name[255] = '\0';
    snprintf(text, sizeof(text),
             AMQP POSTGRES ENTITY_FILES "queues = ( { name = \"%s\"; entity = \"e\"; } );\n", name);
    accept(fixture, text);
    name[255] = 'q';
    name[256] = '\0';
    snprintf(text, sizeof(text),
             AMQP POSTGRES ENTITY_FILES "queues = ( { name = \"%s\"; entity = \"e\"; } );\n", name);
    refuse(fixture, text, "kopru.cfg:4", "queues[0].name", "longer than the 255 bytes");
}

static void time_zones(void **state)
{
    struct fixture *fixture = *state;
    static const char *const wrong[] = {
        "Mars/Olympus",
        "",
        "/usr/share/zoneinfo/UTC",
        "../zoneinfo/UTC",
        "Europe/../UTC",
        "Europe",
        "zone.tab",
        "right/UTC",
        "<+03>-3",
    };

    accept(fixture, LEAST "erp = { time_zone = \"UTC\"; };\n");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[512];

        snprintf(text, sizeof(text), LEAST "erp = { time_zone = \"%s\"; };\n", wrong[i]);
        refuse(fixture, text, "kopru.cfg:5", "erp.time_zone", "tzdata has no zone");
        assert_non_null(strstr(fixture->problems.items[0].hint, "tzdata"));
    }
}

static void listen_addresses(void **state)
{
    struct fixture *fixture = *state;
    static const char *const right[] = { "127.0.0.1:1", "localhost:65535", "[::1]:9187", "*:80",
                                         "" };
    static const char *const wrong[] = {
        "9187",    ":9187",   "host:",    "host:0",   "host:65536", "host:99999999999999999999",
        "host:+1", "host: 1", "host:80x", "::1:9187", "[::1]",
    };
    char text[512];

    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        snprintf(text, sizeof(text), LEAST "http = { listen = \"%s\"; };\n", right[i]);
        accept(fixture, text);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), LEAST "http = { listen = \"%s\"; };\n", wrong[i]);
        refuse(fixture, text, "kopru.cfg:5", "http.listen", NULL);
    }
}

static void numbers_that_must_be_in_order(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, LEAST "limits = { max_unacknowledged_bytes = 1048575; };\n", "kopru.cfg:5",
           "limits.max_unacknowledged_bytes",
           "limits.max_message_bytes (1048576) must be at most limits.max_unacknowledged_bytes "
           "(1048575)");
    accept(fixture, LEAST "limits = { max_unacknowledged_bytes = 1048576; };\n");
    refuse(fixture, LEAST "batch = { max_bytes = 1048575; };\n", "kopru.cfg:5", "batch.max_bytes",
           "limits.max_message_bytes (1048576) must be at most batch.max_bytes (1048575)");
    refuse(fixture,
           AMQP ENTITY_FILES QUEUES "postgres = { conninfo = \"\"; lock_timeout = 20; };\n",
           "kopru.cfg:4", "postgres.lock_timeout",
           "postgres.lock_timeout (20) must be less than postgres.statement_timeout (20)");
    refuse(fixture, LEAST "shutdown_timeout = 20;\n", "kopru.cfg:5", "shutdown_timeout",
           "postgres.statement_timeout (20) must be less than shutdown_timeout (20)");
    accept(fixture, LEAST "shutdown_timeout = 21;\n");

    assert_int_equal(load(fixture, LEAST "limits = { max_message_bytes = 40000000; };\n"), -1);
    assert_problem_count(&fixture->problems, 2);
    /* Nothing is concluded from a value that was refused. */
    refuse(fixture, LEAST "shutdown_timeout = \"20\";\n", "kopru.cfg:5", "shutdown_timeout",
           "an integer is expected");
}

static void the_environment_overrides(void **state)
{
    struct fixture *fixture = *state;
    struct settings *settings;

    setenv("KOPRU_AMQP_URI", "amqp://user:secret@other/", 1);
    setenv("KOPRU_POSTGRES_CONNINFO", "host=other password=secret", 1);
    setenv("KOPRU_HTTP_LISTEN", "[::]:1", 1);
    setenv("KOPRU_LOG_LEVEL", "error", 1);
    settings =
        accept(fixture, LEAST "http = { listen = \"h:2\"; }; log = { level = \"debug\"; };\n");
    assert_string_equal(settings->amqp.uri, "amqp://user:secret@other/");
    assert_string_equal(settings->postgres.conninfo, "host=other password=secret");
    assert_string_equal(settings->http.listen, "[::]:1");
    assert_int_equal(settings->log.level, LOG_ERROR);
    accept(fixture, ENTITY_FILES QUEUES); /* what has no default may come from there alone */
}

static void an_empty_variable_is_none(void **state)
{
    struct settings *settings;

    for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(VARIABLES[0]); i++)
        setenv(VARIABLES[i], "", 1);
    settings = accept(*state, LEAST);
    assert_string_equal(settings->amqp.uri, "amqps://kopru@erp.example.com/prod");
    assert_int_equal(settings->log.level, LOG_INFO);
}

static void wrong_variables_are_named(void **state)
{
    struct fixture *fixture = *state;

    setenv("KOPRU_AMQP_URI", "http://user:secret@other/", 1);
    setenv("KOPRU_HTTP_LISTEN", "nowhere", 1);
    setenv("KOPRU_LOG_LEVEL", "loud", 1);
    assert_int_equal(load(fixture, LEAST), -1);
    assert_problem_count(&fixture->problems, 3);
    assert_true(has_problem(&fixture->problems,
                            "invalid environment variable for amqp.uri \"KOPRU_AMQP_URI\""));
    assert_true(has_problem(&fixture->problems,
                            "invalid environment variable for http.listen \"KOPRU_HTTP_LISTEN\""));
    assert_true(has_problem(&fixture->problems,
                            "invalid environment variable for log.level \"KOPRU_LOG_LEVEL\""));
}

static void assert_silent_about(const struct error_list *problems, const char *secret)
{
    char text[2048];

    for (size_t i = 0; i < problems->count; i++)
        assert_null(strstr(error_text(&problems->items[i], text, sizeof(text)), secret));
}

/* Whatever is wrong with the options that may hold a password, no problem repeats it. */
static void passwords_are_never_printed(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "amqp = { uri = \"http://user:s3cret@host\"; };\n" POSTGRES,
        "amqp = { uri = \"amqp://user:s3cret@host\\x01\"; };\n" POSTGRES,
        "amqp = { uri = ( \"amqp://user:s3cret@host\" ); };\n" POSTGRES,
        "amqp = { uri = \"amqp://user:s3cret@host\"; password_file = \"absent\"; };\n" POSTGRES,
        "amqp = { uri = \"amqp://user:s3cret@host\"; uri = \"x\" };\n" POSTGRES,
        AMQP "postgres = { conninfo = [ \"password=s3cret\" ]; };\n",
        AMQP "postgres = { conninfo = \"password=s3cret\" \"\xff\"; };\n",
        AMQP "postgres = { conninfo = \"password=s3cret; };\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[1024];

        snprintf(text, sizeof(text), "%s" ENTITY_FILES QUEUES, texts[i]);
        assert_int_equal(load(fixture, text), -1);
        assert_true(fixture->problems.count > 0);
        assert_silent_about(&fixture->problems, "s3cret");
    }
}

static int load_with_mode(struct fixture *fixture, const char *text, mode_t mode)
{
    const char *path = scratch_write(&fixture->scratch, "kopru.cfg", text);

    settings_release(&fixture->settings);
    error_list_release(&fixture->problems);
    assert_int_equal(chmod(path, mode), 0);
    return settings_load(&fixture->settings, path, SETTINGS_ALL, &fixture->problems);
}

static void a_password_is_not_for_everybody(void **state)
{
    struct fixture *fixture = *state;
    static const char uri[] =
        "amqp = { uri = \"amqp://user:s3cret@host\"; };\n" POSTGRES ENTITY_FILES QUEUES;
    static const char conninfo[] =
        AMQP "postgres = { conninfo = \"password=s3cret\"; };\n" ENTITY_FILES QUEUES;

    assert_int_equal(load_with_mode(fixture, LEAST, 0644), 0);
    assert_int_equal(load_with_mode(fixture, uri, 0640), 0);
    assert_int_equal(load_with_mode(fixture, conninfo, 0640), 0);
    assert_int_equal(load_with_mode(fixture, uri, 0644), -1);
    assert_one_problem(&fixture->problems, "kopru.cfg:1", "amqp.uri",
                       "it holds a password, and everybody may read the file");
    assert_non_null(strstr(fixture->problems.items[0].hint, "password_file"));
    assert_int_equal(load_with_mode(fixture, conninfo, 0604), -1);
    assert_one_problem(&fixture->problems, "kopru.cfg:2", "postgres.conninfo",
                       "it holds a password");
    assert_non_null(strstr(fixture->problems.items[0].hint, "passfile"));
}

static void a_secret_of_mode(struct fixture *fixture, mode_t mode)
{
    scratch_write(&fixture->scratch, "secret", "s3cret\n");
    assert_int_equal(chmod(fixture->scratch.path, mode), 0);
}

static void files_that_amqp_names(void **state)
{
    struct fixture *fixture = *state;
    struct settings *settings;
    char expected[256];

    a_secret_of_mode(fixture, 0640);
    settings = accept(fixture, "amqp = { uri = \"amqp://u@h\"; password_file = \"secret\"; "
                               "cert_file = \"secret\"; key_file = \"secret\"; "
                               "ca_file = \"secret\"; };\n" POSTGRES ENTITY_FILES QUEUES);
    snprintf(expected, sizeof(expected), "%s/secret", fixture->scratch.directory);
    assert_string_equal(settings->amqp.password_file, expected);
    assert_string_equal(settings->amqp.key_file, expected);

    refuse(fixture,
           "amqp = { uri = \"amqp://u@h\";\n ca_file = \"absent.pem\"; };\n" POSTGRES ENTITY_FILES
               QUEUES,
           "kopru.cfg:2", "amqp.ca_file", "absent.pem: No such file");
    refuse(
        fixture,
        "amqp = { uri = \"amqp://u@h\";\n password_file = \".\"; };\n" POSTGRES ENTITY_FILES QUEUES,
        "kopru.cfg:2", "amqp.password_file", "not a regular file");
    refuse(
        fixture,
        "amqp = { uri = \"amqp://u@h\";\n password_file = \"\"; };\n" POSTGRES ENTITY_FILES QUEUES,
        "kopru.cfg:2", "amqp.password_file", "it is empty");
    refuse(
        fixture,
        "amqp = { uri = \"amqp://u@h\";\n key_file = \"secret\"; };\n" POSTGRES ENTITY_FILES QUEUES,
        "kopru.cfg:2", "amqp.key_file", "needs amqp.cert_file and amqp.key_file");
    refuse(
        fixture,
        "amqp = { uri = \"amqp://u:p@h\";\n password_file = \"secret\"; };\n" POSTGRES ENTITY_FILES
            QUEUES,
        "kopru.cfg:2", "amqp.password_file", "amqp.uri holds a password as well");
    a_secret_of_mode(fixture, 0644);
    refuse(fixture,
           "amqp = { uri = \"amqp://u@h\";\n password_file = \"secret\"; };\n" POSTGRES ENTITY_FILES
               QUEUES,
           "kopru.cfg:2", "amqp.password_file", "everybody may read it");
    accept(
        fixture,
        "amqp = { uri = \"amqp://u@h\"; ca_file = \"secret\"; };\n" POSTGRES ENTITY_FILES QUEUES);
}

static void advice_is_no_problem(void **state)
{
    struct settings *settings = accept(
        *state, "amqp = { uri = \"amqps://u@h\";\n verify_peer = false; };\n" POSTGRES ENTITY_FILES
                "queues = ( { name = \"q\"; entity = \"e\"; prefetch = 2001; } );\n");

    assert_problem_count(&settings->advice, 2);
    assert_true(has_problem(&settings->advice, "kopru.cfg:5\": a quorum queue caps it at 2000"));
    assert_true(has_problem(&settings->advice, "kopru.cfg:2\": amqp.verify_peer is false"));
    assert_int_equal(settings->advice.items[0].kind, ERROR_NONE);
}

static void a_file_that_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(settings_load(&fixture->settings, "/nonexistent/kopru.cfg", SETTINGS_ALL,
                                   &fixture->problems),
                     -1);
    assert_one_problem(&fixture->problems, "/nonexistent/kopru.cfg",
                       "cannot read the configuration", "No such file");
    settings_release(&fixture->settings);
    settings_release(&fixture->settings);
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(the_least_file_gets_the_defaults),
        UNIT(what_the_file_says_is_taken),
        UNIT(numbers_do_not_wrap),
        UNIT(what_has_no_default_must_be_there),
        UNIT(mapping_needs_no_servers),
        UNIT(only_the_endpoint_is_read_for_it),
        UNIT(unknown_settings),
        UNIT(all_problems_come_at_once),
        UNIT(queues_are_told_apart),
        UNIT(a_queue_name_has_255_bytes),
        UNIT(time_zones),
        UNIT(listen_addresses),
        UNIT(numbers_that_must_be_in_order),
        UNIT(the_environment_overrides),
        UNIT(an_empty_variable_is_none),
        UNIT(wrong_variables_are_named),
        UNIT(passwords_are_never_printed),
        UNIT(a_password_is_not_for_everybody),
        UNIT(files_that_amqp_names),
        UNIT(advice_is_no_problem),
        UNIT(a_file_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
