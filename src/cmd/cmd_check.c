/*
 * The check asks in the order in which things depend on each other (files, broker, database) and
 * goes on after a problem wherever the next question still makes sense, so that one run names
 * everything. It uses the daemon's own functions to connect, to declare passively and to compare
 * the catalog: a check of its own could pass where the daemon fails. Whatever only weakens a
 * promise is a warning and does not change the exit status, so that the command can stand before
 * the daemon's start in a script.
 */
#include "amqp/target.h"
#include "base/address.h"
#include "cmd/check_consumers.h"
#include "cmd/check_report.h"
#include "cmd/check_returns.h"
#include "cmd/cmd.h"
#include "cmd/configuration.h"
#include "cmd/wiring.h"
#include "pg/catalog.h"
#include "pg/catalog_queue.h"
#include "pg/conninfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec OPTIONS[] = {
    { OPTION_CONFIG },
    { .name = "offline", .help = "check only the files, ask neither broker nor database" },
    { OPTION_OUTPUT("table", OUTPUT_FORMATS) },
    { OPTION_HELP },
    { OPTION_END },
};

static const char HELP[] =
    "example: kopru check --config /etc/kopru/kopru.cfg\n"
    "\n"
    "Checks the configuration, the entity files, the broker (queues and who else\n"
    "consumes them, TLS) and the database (schema, tables, columns, types, unique\n"
    "keys, privileges, migrations). AMQP does not tell a queue's policies:\n"
    "docs/operations.md says what to look for there.\n"
    "It names all problems at once: where each is, what is wrong and what to run. It\n"
    "changes nothing and consumes no message. It also prints the most memory that\n"
    "kopru run will use.\n"
    "\n"
    "Run it as the user who runs the daemon, because it uses the same files and\n"
    "logins.\n"
    "\n"
    "Exit status: 0 if there is no problem, otherwise the first that applies of 78\n"
    "(configuration or schema version), 69 (a server cannot be reached), 77 (a\n"
    "privilege is missing) and 1 (other problems). Warnings do not count.\n";

static void skip(struct check_section *section, const char *why)
{
    section->skipped = true;
    buffer_append_text(&section->summary, why);
}

/* Why a server cannot be asked whose address the configuration does not give. */
static void skip_unknown(struct check_section *section, const struct settings *settings,
                         const char *key)
{
    if (settings->is_read)
        buffer_append_format(&section->summary, "not asked, for want of %s", key);
    else
        buffer_append_text(&section->summary, "not asked, since the configuration was not read");
    section->skipped = true;
}

static void warn(struct check_section *section, const char *what, const char *subject,
                 const char *why, const char *hint)
{
    struct error err;

    error_set(&err, ERROR_PROBLEMS, what, subject, "%s", why);
    error_hint(&err, "%s", hint);
    error_list_add(&section->warnings, &err);
}

/* Checks what the files alone say about the connection to the broker. */
static int check_endpoint(const struct amqp_endpoint *endpoint, struct check_section *section)
{
    struct amqp_target target;
    struct error err;
    int result = amqp_target_init(&target, endpoint, &err);

    if (result != 0) {
        error_list_add(&section->problems, &err);
    } else {
        buffer_append_format(&section->summary, "%s", target.name);
        if (!target.uri.tls && !address_is_loopback(slice_of(target.uri.host)))
            warn(section, "no TLS to the broker", "amqp.uri",
                 "payloads and the password can be read on the way",
                 "write amqps://, and set amqp.ca_file if an authority of your own signed the "
                 "broker's certificate");
        if (target.uri.tls && target.uri.verify == AMQP_VERIFY_NONE)
            warn(section, "the broker's certificate is not verified", "amqp.uri, verify",
                 "anybody can pretend to be the broker",
                 "take verify=verify_none out of the URI, and set amqp.ca_file");
    }
    amqp_target_release(&target);
    return result;
}

/* Each queue gets a connection of its own, because a failed inspection ends it. Returns -1 when the
   broker cannot be asked at all. consumers: 0 unless the queue is in order. said: by the broker, of
   itself; left as it is when the broker cannot be asked. */
static int check_queue(const struct amqp_endpoint *endpoint, const char *queue, uint32_t *consumers,
                       struct amqp_broker *said, struct check_section *section)
{
    struct broker_port broker = amqp_broker_port(endpoint);
    struct broker_queue_state state;
    void *consumer = NULL;
    struct error err;

    if (broker.open(broker.context, &consumer, &err) != 0) {
        error_list_add(&section->problems, &err);
        return -1;
    }
    *said = amqp_consumer_broker(consumer);
    if (broker.inspect(consumer, queue, &state, &err) != 0 ||
        amqp_consumer_check_access(consumer, queue, &err) != 0)
        error_list_add(&section->problems, &err);
    else {
        *consumers = state.consumers;
        buffer_append_format(&section->summary, ", %s: %u message%s, %u consumer%s", queue,
                             state.messages, state.messages == 1 ? "" : "s", state.consumers,
                             state.consumers == 1 ? "" : "s");
        check_returns(endpoint, said, queue, &section->warnings);
    }
    broker.close(consumer);
    return 0;
}

/* consumers: of each queue, filled in. */
static void check_broker(const struct settings *settings, bool offline, uint32_t *consumers,
                         struct check_report *report)
{
    struct check_section *section = &report->sections[CHECK_BROKER];
    struct amqp_endpoint endpoint = wiring_endpoint(settings);

    if (endpoint.uri == NULL) {
        skip_unknown(section, settings, "amqp.uri");
        return;
    }
    if (check_endpoint(&endpoint, section) != 0)
        return;
    if (offline) {
        skip(section, ", not asked");
        return;
    }
    for (size_t i = 0; i < settings->queue_count; i++) {
        if (check_queue(&endpoint, settings->queues[i].name, &consumers[i], &report->broker,
                        section) != 0)
            return;
    }
    if (report->broker.version[0] != '\0')
        buffer_append_format(&section->summary, ", RabbitMQ %s", report->broker.version);
}

static int check_conninfo(const char *conninfo, struct check_section *section)
{
    struct pg_conninfo parsed;
    struct error err;

    if (pg_conninfo_read(conninfo, &parsed, &err) != 0) {
        error_list_add(&section->problems, &err);
        return -1;
    }
    buffer_append_format(&section->summary, "%s", parsed.name);
    if (parsed.is_remote && !parsed.verifies_server)
        warn(section, "the database server is not verified", "postgres.conninfo",
             "without sslmode=verify-full anybody can pretend to be the server",
             "add sslmode=verify-full, and sslrootcert if needed");
    if (parsed.has_many_hosts && !parsed.asks_read_write)
        warn(section, "a standby may be taken for the primary", "postgres.conninfo",
             "it names several hosts and does not ask for one that can write",
             "add target_session_attrs=read-write");
    return 0;
}

static void check_queue_rows(const struct configuration *configuration, struct pg_conn *conn,
                             const struct catalog *catalog, const struct catalog_report *report)
{
    const struct settings *settings = &configuration->settings;
    struct pg_failure failure;

    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct queue_settings *queue = &settings->queues[i];
        const struct mapping *mapping = configuration_mapping(configuration, queue->entity);

        if (mapping != NULL &&
            catalog_queue_review(conn, catalog, queue->name, mapping_entity(mapping), report,
                                 &failure) != 0) {
            error_list_add(report->problems, &failure.error);
            return;
        }
    }
}

static void check_catalog(const struct configuration *configuration, struct pg_conn *conn,
                          struct check_section *section)
{
    struct catalog_report report = { &section->problems, &section->warnings };
    struct catalog *catalog;
    struct pg_failure failure;
    int version = pg_conn_server_version(conn);

    if (catalog_load(&catalog, conn, &failure) != 0) {
        error_list_add(&section->problems, &failure.error);
        return;
    }
    buffer_append_format(&section->summary, ", PostgreSQL %d.%d", version / 10000, version % 10000);
    catalog_check_server(catalog, kopru_version(), &report);
    catalog_check_identity(catalog, conn, &report);
    for (size_t i = 0; i < configuration->mapping_count; i++)
        if (configuration->mappings[i] != NULL)
            catalog_check_entity(catalog, mapping_entity(configuration->mappings[i]), &report);
    check_queue_rows(configuration, conn, catalog, &report);
    catalog_free(catalog);
}

/* consumers: of each queue, as the broker counted them; who they are stands in the database. */
static void check_database(const struct configuration *configuration, bool offline,
                           const uint32_t *consumers, struct check_report *report)
{
    const struct settings *settings = &configuration->settings;
    struct check_section *section = &report->sections[CHECK_DATABASE];
    struct amqp_endpoint endpoint = wiring_endpoint(settings);
    atomic_bool unprepared = false;
    struct pg_settings connection = wiring_postgres(settings, &unprepared);
    struct pg_conn *conn;
    struct pg_failure failure;

    if (connection.conninfo == NULL) {
        skip_unknown(section, settings, "postgres.conninfo");
        return;
    }
    if (check_conninfo(connection.conninfo, section) != 0)
        return;
    if (offline) {
        skip(section, ", not asked");
        return;
    }
    if (pg_conn_open(&conn, &connection, &failure) != 0) {
        error_list_add(&section->problems, &failure.error);
        return;
    }
    check_catalog(configuration, conn, section);
    check_consumers(settings, &endpoint, conn, consumers, &report->sections[CHECK_BROKER].problems);
    pg_conn_close(conn);
}

static void describe_configuration(const char *path, const struct configuration *configuration,
                                   struct check_section *section)
{
    const struct error_list *advice = &configuration->settings.advice;

    buffer_append_format(&section->summary, "%s", path);
    for (size_t i = 0; i < advice->count; i++)
        error_list_add(&section->warnings, &advice->items[i]);
    for (size_t i = 0; i < configuration->mapping_count; i++)
        if (configuration->mappings[i] != NULL)
            buffer_append_format(&section->summary, ", %s",
                                 mapping_entity(configuration->mappings[i])->name);
}

static int print_report(const struct check_report *report, bool as_json, struct error_list *errors)
{
    struct buffer text;
    struct error err;
    int status = check_report_status(report);

    buffer_init(&text, SIZE_MAX / 2);
    if (!as_json)
        check_report_text(report, &text);
    if ((as_json && check_report_json(report, &text) != 0) || buffer_failed(&text)) {
        error_no_memory(&err);
        status = command_fail(errors, &err);
    } else {
        printf("%s%s", text.data, as_json ? "\n" : "");
    }
    buffer_release(&text);
    return status;
}

static void check_servers(const struct configuration *configuration, bool offline,
                          struct check_report *report)
{
    struct check_section *broker = &report->sections[CHECK_BROKER];
    uint32_t *consumers = calloc(configuration->settings.queue_count + 1, sizeof(*consumers));
    struct error err;

    if (consumers == NULL) {
        error_no_memory(&err);
        error_list_add(&broker->problems, &err);
        return;
    }
    check_broker(&configuration->settings, offline, consumers, report);
    check_database(configuration, offline, consumers, report);
    free(consumers);
}

static int run(const struct invocation *call, struct error_list *errors)
{
    const char *path = invocation_value(call, "config");
    bool offline = invocation_has(call, "offline");
    struct configuration configuration;
    struct check_report report;
    int status;

    check_report_init(&report);
    report.has_memory = configuration_load(&configuration, path, SETTINGS_ALL,
                                           &report.sections[CHECK_CONFIGURATION].problems) == 0;
    describe_configuration(path, &configuration, &report.sections[CHECK_CONFIGURATION]);
    check_servers(&configuration, offline, &report);
    if (report.has_memory)
        memory_bound_compute(&configuration.settings, &report.broker, &report.memory);
    status = print_report(&report, strcmp(invocation_value(call, "output"), "json") == 0, errors);
    configuration_release(&configuration);
    check_report_release(&report);
    return status;
}

const struct command CMD_CHECK = {
    .name = "check",
    .summary = "check configuration, broker and database; name all problems",
    .arguments = "",
    .help = HELP,
    .options = OPTIONS,
    .max_arguments = 0,
    .run = run,
};
