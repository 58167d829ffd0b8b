/*
 * The content of kopru.cfg: read, checked and completed with defaults. It does not change once it
 * is loaded, and owns all of its strings.
 */
#ifndef KOPRU_CONFIG_SETTINGS_H
#define KOPRU_CONFIG_SETTINGS_H

#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

enum queue_order { QUEUE_ORDER_DELIVERY, QUEUE_ORDER_TIMESTAMP };

/* What the caller is going to use. Everything in the file is checked in the first two cases; but
   the files that the group amqp names are looked at only with SETTINGS_ALL, because a payload can
   be mapped on a machine that has no passwords. */
enum settings_scope {
    SETTINGS_ALL,     /* amqp.uri, postgres.conninfo, queues and entity_files must be there */
    SETTINGS_MAPPING, /* no server will be asked: only entity_files must be there, and the other
                         three may be NULL or empty */
    SETTINGS_HTTP,    /* only the group http is read, and all else stays NULL or 0: a mistake that
                         somebody is making elsewhere does not make a running daemon look dead */
};

struct queue_settings {
    char *name;
    unsigned line; /* where this queue begins in the file; for messages */
    char *entity;
    int writers;
    int prefetch; /* messages, 1 to 65535 */
    enum queue_order order;
};

struct settings {
    char *path;   /* of the file itself */
    bool is_read; /* false when the file could not be read at all, so that nothing is known */

    struct {
        char *time_zone; /* IANA name, known to exist on this machine */
    } erp;
    struct {
        char *uri;           /* amqp:// or amqps://, may hold a password: never log it */
        char *password_file; /* NULL if not given; re-read at each connect */
        char *ca_file;       /* NULL: the system's store */
        char *cert_file;     /* client certificate, NULL if none */
        char *key_file;
        bool verify_peer; /* certificate and host name; default true */
        int heartbeat_s;
        int connect_timeout_ms;
        int rpc_timeout_ms;
    } amqp;
    struct {
        char *conninfo; /* may hold a password: never log it */
        int connect_timeout_ms;
        int statement_timeout_ms;
        int lock_timeout_ms;
    } postgres;
    char **entity_files; /* resolved against the directory of the file */
    size_t entity_file_count;
    struct queue_settings *queues;
    size_t queue_count;
    struct {
        int64_t max_message_bytes;
        int max_depth;
        int64_t max_unacknowledged_bytes; /* per queue */
    } limits;
    struct {
        int max_messages;
        int64_t max_bytes;
    } batch;
    struct {
        int attempts;
        int span_ms;
    } quarantine;
    struct {
        int share_ppm; /* parts per million */
        int window;    /* messages */
        int probe_ms;
    } breaker;
    struct {
        char *listen; /* host:port; "" switches the endpoint off */
    } http;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    int shutdown_timeout_s;

    /* What is accepted but worth a look, of kind ERROR_NONE: `check` prints it, `run` logs it. */
    struct error_list advice;
};

/* Reads the file and applies the defaults and the environment variables, of which an empty one
   counts as not set. Returns 0, or -1 with every problem added to problems (file:line, what, why,
   hint). An option that was refused then has its default, or is NULL if it has none, and a queue
   that was refused is left out. Release in both cases. */
int settings_load(struct settings *settings, const char *path, enum settings_scope scope,
                  struct error_list *problems);

void settings_release(struct settings *settings);

#endif
