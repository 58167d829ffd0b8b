#include "config/option.h"

#include "base/address.h"
#include "base/civil_zone.h"
#include "config/password.h"
#include "config/settings.h"

#include <stddef.h>
#include <string.h>

/*
 * A row is all that the program knows of an option. Defaults and ranges stand here and not where
 * the values are used, so that a test notices when the sample file or the README says something
 * else, and a new option needs no code. The options of the top level come first, as
 * config_option_names() expects.
 */

static const char *const LEVELS[] = { "error", "warning", "info", "debug", NULL };
static const char *const FORMATS[] = { "auto", "text", "json", NULL };
static const char *const ORDERS[] = { "delivery", "timestamp", NULL };

static const char *refuse_time_zone(const char *value)
{
    return civil_zone_exists(value) ? NULL : "the system's tzdata has no zone of this name";
}

static const char *refuse_amqp_uri(const char *value)
{
    if (strncmp(value, "amqp://", 7) == 0 || strncmp(value, "amqps://", 8) == 0)
        return NULL;
    return "it does not begin with amqp:// or amqps://";
}

static const char *refuse_empty(const char *value)
{
    return value[0] == '\0' ? "it is empty" : NULL;
}

static const char *refuse_queue_name(const char *value)
{
    if (value[0] == '\0')
        return "it is empty";
    return strlen(value) <= 255 ? NULL : "it is longer than the 255 bytes that AMQP allows";
}

/* Takes "host:port" or "[IPv6]:port", and "", which switches the endpoint off. */
static const char *refuse_listen(const char *value)
{
    struct address address;
    const char *why;

    if (value[0] == '\0')
        return NULL;
    why = address_parse(&address, value);
    return why == NULL && address.port == 0 ? "the port is not 1 to 65535" : why;
}

#define FIELD(name)                                                                                \
    .offset = offsetof(struct settings, name), .size = sizeof(((struct settings *)NULL)->name)
#define QUEUE_FIELD(name)                                                                          \
    .offset = offsetof(struct queue_settings, name),                                               \
    .size = sizeof(((struct queue_settings *)NULL)->name)
#define RANGE(least, most, per_unit, unit_name)                                                    \
    .min = (least), .max = (most), .factor = (per_unit), .unit = (unit_name)

const struct config_option OPTIONS[] = {
    { .group = "",
      .key = "entity_files",
      .type = OPTION_LIST,
      .required = true,
      .required_to_map = true,
      .help = "the entity files, each of which maps one kind of payload to tables" },
    { .group = "",
      .key = "queues",
      .type = OPTION_LIST,
      .required = true,
      .help = "the queues to consume, each with its entity" },
    { .group = "",
      .key = "shutdown_timeout",
      .type = OPTION_INTEGER,
      .initial = "30",
      RANGE(1, 3600, 1, "seconds"),
      FIELD(shutdown_timeout_s),
      .help = "how long SIGTERM may take to commit and acknowledge what was delivered" },

    { .group = "erp",
      .key = "time_zone",
      .type = OPTION_TEXT,
      .initial = "\"Europe/Istanbul\"",
      FIELD(erp.time_zone),
      .refuse = refuse_time_zone,
      .hint = "give an IANA name such as Europe/Istanbul, and check that the package tzdata is "
              "installed",
      .help = "the IANA time zone in which the ERP means dates and times without an offset" },

    { .group = "amqp",
      .key = "uri",
      .type = OPTION_TEXT,
      .required = true,
      FIELD(amqp.uri),
      .environment = "KOPRU_AMQP_URI",
      .refuse = refuse_amqp_uri,
      .holds_password = password_in_uri,
      .hint = "write amqps://user@host:5671/vhost, and put the password into amqp.password_file",
      .help = "the broker; amqps:// for TLS" },
    { .group = "amqp",
      .key = "password_file",
      .type = OPTION_FILE,
      FIELD(amqp.password_file),
      .help = "a file whose first line is the password; read again at each connect" },
    { .group = "amqp",
      .key = "ca_file",
      .type = OPTION_FILE,
      FIELD(amqp.ca_file),
      .help =
          "the certificates, in PEM, that the broker's must be signed by; not set: the system's" },
    { .group = "amqp",
      .key = "cert_file",
      .type = OPTION_FILE,
      FIELD(amqp.cert_file),
      .help = "the client certificate, in PEM" },
    { .group = "amqp",
      .key = "key_file",
      .type = OPTION_FILE,
      FIELD(amqp.key_file),
      .help = "the client certificate's key, in PEM, without a passphrase" },
    { .group = "amqp",
      .key = "verify_peer",
      .type = OPTION_BOOL,
      .initial = "true",
      FIELD(amqp.verify_peer),
      .help = "whether TLS checks the broker's certificate and host name" },
    { .group = "amqp",
      .key = "heartbeat",
      .type = OPTION_INTEGER,
      .initial = "20",
      RANGE(1, 600, 1, "seconds"),
      FIELD(amqp.heartbeat_s),
      .help = "how often both ends show that they live; after twice this silence the connection is "
              "dropped" },
    { .group = "amqp",
      .key = "connect_timeout",
      .type = OPTION_INTEGER,
      .initial = "10",
      RANGE(1, 600, 1000, "seconds"),
      FIELD(amqp.connect_timeout_ms),
      .help = "how long a connect may take, TLS and login included" },
    { .group = "amqp",
      .key = "rpc_timeout",
      .type = OPTION_INTEGER,
      .initial = "10",
      RANGE(1, 600, 1000, "seconds"),
      FIELD(amqp.rpc_timeout_ms),
      .help = "how long the broker may take to answer a request" },

    { .group = "postgres",
      .key = "conninfo",
      .type = OPTION_TEXT,
      .required = true,
      FIELD(postgres.conninfo),
      .environment = "KOPRU_POSTGRES_CONNINFO",
      .holds_password = password_in_conninfo,
      .hint = "put the password into a passfile: passfile=/path, or ~/.pgpass",
      .help = "the database, as libpq takes it; what it leaves out comes from libpq's variables "
              "and service file" },
    { .group = "postgres",
      .key = "connect_timeout",
      .type = OPTION_INTEGER,
      .initial = "10",
      RANGE(1, 600, 1000, "seconds"),
      FIELD(postgres.connect_timeout_ms),
      .help = "how long a connect may take, over all hosts" },
    { .group = "postgres",
      .key = "statement_timeout",
      .type = OPTION_INTEGER,
      .initial = "20",
      RANGE(1, 3600, 1000, "seconds"),
      FIELD(postgres.statement_timeout_ms),
      .help = "how long one statement may take; less than shutdown_timeout" },
    { .group = "postgres",
      .key = "lock_timeout",
      .type = OPTION_INTEGER,
      .initial = "5",
      RANGE(1, 3600, 1000, "seconds"),
      FIELD(postgres.lock_timeout_ms),
      .help = "how long a statement may wait for a lock; less than statement_timeout" },

    { .group = "queues",
      .key = "name",
      .type = OPTION_TEXT,
      .required = true,
      .required_to_map = true,
      QUEUE_FIELD(name),
      .refuse = refuse_queue_name,
      .help = "the queue, which the ERP's side declares" },
    { .group = "queues",
      .key = "entity",
      .type = OPTION_TEXT,
      .required = true,
      .required_to_map = true,
      QUEUE_FIELD(entity),
      .refuse = refuse_empty,
      .help = "the entity of its messages: the `entity` of one of the entity files" },
    { .group = "queues",
      .key = "writers",
      .type = OPTION_INTEGER,
      .initial = "2",
      RANGE(1, 64, 1, "connections"),
      QUEUE_FIELD(writers),
      .help = "database connections that write this queue's messages in parallel" },
    { .group = "queues",
      .key = "prefetch",
      .type = OPTION_INTEGER,
      .initial = "2000",
      RANGE(1, 65535, 1, "messages"),
      QUEUE_FIELD(prefetch),
      .help = "messages that the broker may hand out before the first is acknowledged; a quorum "
              "queue caps it at 2000" },
    { .group = "queues",
      .key = "order",
      .type = OPTION_CHOICE,
      .initial = "\"delivery\"",
      .names = ORDERS,
      QUEUE_FIELD(order),
      .help = "which message is newer: the one delivered later or, where publishers do not keep "
              "order, the one with the later timestamp" },

    { .group = "limits",
      .key = "max_message_bytes",
      .type = OPTION_INTEGER,
      .initial = "1048576",
      RANGE(1, 134217728, 1, "bytes"),
      FIELD(limits.max_message_bytes),
      .help = "a larger message becomes a dead letter, too_large" },
    { .group = "limits",
      .key = "max_depth",
      .type = OPTION_INTEGER,
      .initial = "64",
      RANGE(1, 1000, 1, "levels"),
      FIELD(limits.max_depth),
      .help = "a message nested deeper becomes a dead letter, too_deep; the root is level 1" },
    { .group = "limits",
      .key = "max_unacknowledged_bytes",
      .type = OPTION_INTEGER,
      .initial = "33554432",
      RANGE(1, 17179869184, 1, "bytes"),
      FIELD(limits.max_unacknowledged_bytes),
      .help =
          "the size of the unacknowledged messages of each queue, with their rows, beyond which "
          "nothing is read from the socket" },

    { .group = "batch",
      .key = "max_messages",
      .type = OPTION_INTEGER,
      .initial = "500",
      RANGE(1, 65535, 1, "messages"),
      FIELD(batch.max_messages),
      .help = "messages that one transaction writes at most" },
    { .group = "batch",
      .key = "max_bytes",
      .type = OPTION_INTEGER,
      .initial = "4194304",
      RANGE(1, 1073741824, 1, "bytes"),
      FIELD(batch.max_bytes),
      .help = "the size of the messages, with their rows, that one transaction writes at most" },

    { .group = "quarantine",
      .key = "attempts",
      .type = OPTION_INTEGER,
      .initial = "10",
      RANGE(2, 1000, 1, "failures"),
      FIELD(quarantine.attempts),
      .help = "failures of one message, with an error for which there is no rule, after which it "
              "may become a dead letter" },
    { .group = "quarantine",
      .key = "minutes",
      .type = OPTION_DECIMAL,
      .initial = "5",
      RANGE(0, 10, 60000, "minutes"),
      FIELD(quarantine.span_ms),
      .hint = "a message that is not acknowledged after 15 minutes goes back to the broker, and "
              "its failures are counted anew",
      .help = "how long these failures must go on, while other messages are committed" },

    { .group = "breaker",
      .key = "share",
      .type = OPTION_DECIMAL,
      .initial = "0.5",
      RANGE(0, 1, 1000000, NULL),
      FIELD(breaker.share_ppm),
      .hint = "1 switches the breaker off",
      .help = "when the database refused more than this share of the last messages, nothing more "
              "is written until it takes one" },
    { .group = "breaker",
      .key = "window",
      .type = OPTION_INTEGER,
      .initial = "1000",
      RANGE(1, 1000000, 1, "messages"),
      FIELD(breaker.window),
      .help = "how many of the last messages the share is taken of; fewer never open the breaker" },
    { .group = "breaker",
      .key = "probe_interval",
      .type = OPTION_INTEGER,
      .initial = "60",
      RANGE(1, 600, 1000, "seconds"),
      FIELD(breaker.probe_ms),
      .help = "while nothing is written, how often one message is tried and rolled back" },

    { .group = "http",
      .key = "listen",
      .type = OPTION_TEXT,
      .initial = "\"127.0.0.1:9187\"",
      FIELD(http.listen),
      .environment = "KOPRU_HTTP_LISTEN",
      .refuse = refuse_listen,
      .hint = "write \"127.0.0.1:9187\", \"[::1]:9187\", or \"\" to switch the endpoint off",
      .help = "where /livez, /readyz and /metrics answer; \"\" switches them off" },

    { .group = "log",
      .key = "level",
      .type = OPTION_CHOICE,
      .initial = "\"info\"",
      .names = LEVELS,
      FIELD(log.level),
      .environment = "KOPRU_LOG_LEVEL",
      .help = "the least severe level that is logged: error, warning, info or debug" },
    { .group = "log",
      .key = "format",
      .type = OPTION_CHOICE,
      .initial = "\"auto\"",
      .names = FORMATS,
      FIELD(log.format),
      .help = "text for people, json for machines, auto: text on a terminal, else json" },
};

const size_t OPTION_COUNT = sizeof(OPTIONS) / sizeof(OPTIONS[0]);

void config_option_names(const char *group, const char **names)
{
    size_t count = 0;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(OPTIONS[i].group, group) == 0)
            names[count++] = OPTIONS[i].key;
        else if (group[0] == '\0' && strcmp(OPTIONS[i].group, OPTIONS[i - 1].group) != 0 &&
                 strcmp(OPTIONS[i].group, "queues") != 0)
            names[count++] = OPTIONS[i].group; /* the top level's own options are the first */
    }
    names[count] = NULL;
}

const struct config_option *config_option_find(const char *group, const char *key)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(OPTIONS[i].group, group) == 0 && strcmp(OPTIONS[i].key, key) == 0)
            return &OPTIONS[i];
    return NULL;
}
