#include "base/clock.h"
#include "base/log.h"
#include "base/log_libraries.h"
#include "cmd/cmd.h"
#include "cmd/endpoint.h"
#include "cmd/supervision.h"
#include "cmd/wiring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * The main thread only supervises: it waits for signals, tells the service manager how the daemon
 * is doing, and ends it. Signals come from a descriptor and not from a handler, because they must
 * not interrupt the threads that talk to the servers. Where an orderly end is not possible (a
 * second signal, shutdown_timeout) the process leaves without freeing anything: threads may still
 * use it all, and what is not acknowledged is delivered again.
 */

enum { FINISH_LOOK_MS = 20 };

static const struct option_spec OPTIONS[] = { { OPTION_CONFIG }, { OPTION_HELP }, { OPTION_END } };

static const char HELP[] =
    "example: kopru run --config /etc/kopru/kopru.cfg\n"
    "\n"
    "Runs the daemon in the foreground: it consumes the queues of the configuration\n"
    "until SIGTERM or SIGINT and logs to stderr. It ends by itself only if its own\n"
    "files are wrong (exit status 78), for example if http.listen is in use, or if\n"
    "memory, threads or file descriptors do not suffice at the start (70). If a\n"
    "server is not ready, it says in the log and at /readyz what it waits for, and\n"
    "continues when the server is ready.\n"
    "\n"
    "It answers GET /livez, /readyz and /metrics at http.listen (\"\" switches this\n"
    "off). With ?verbose the first two list what they checked.\n"
    "\n"
    "After SIGTERM or SIGINT it accepts no more deliveries, commits and acknowledges\n"
    "those it has, and exits within shutdown_timeout: with status 0 if everything was\n"
    "committed and acknowledged, with 1 if not; the broker delivers the rest again.\n"
    "A second signal ends it at once, and nothing is lost by that either. SIGHUP does\n"
    "the same when the terminal closes; otherwise it is ignored, because a changed\n"
    "configuration needs a restart.\n";

/* What a run watches until its end. */
struct watch {
    int signals;
    bool in_terminal; /* SIGHUP says that it closed */
    struct endpoint endpoint;
    struct supervision supervision;
};

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Whether the signal is ignored, as nohup leaves SIGHUP. */
static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* SIGTERM, SIGINT and SIGHUP wait for open_signals() from here on, SIGPIPE is ignored, and
   SIGXFSZ, which a log file at the limit of its size raises; threads started later inherit all. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    if (!is_ignored(SIGHUP))
        sigaddset(signals, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, signals,
                    NULL); /* cannot fail: POSIX has EINVAL for the first argument alone */
}

static int open_signals(const sigset_t *signals, struct error *err)
{
    int fd = signalfd(-1, signals, SFD_CLOEXEC);

    if (fd < 0)
        return error_set(err, ERROR_INTERNAL, "cannot watch for signals", NULL, "%s",
                         strerror(errno));
    return fd;
}

/* Returns the number of the signal, or 0 when the time is over. timeout_ms -1: wait for ever. */
static int wait_for_signal(int fd, int timeout_ms)
{
    struct pollfd watched = { .fd = fd, .events = POLLIN };
    struct signalfd_siginfo info;

    if (poll(&watched, 1, timeout_ms) <= 0 || read(fd, &info, sizeof(info)) != sizeof(info))
        return 0;
    return (int)info.ssi_signo;
}

/* Returns the same, but only for signals that end the daemon, and keeps the service manager
   informed meanwhile. */
static int wait_for_end(struct watch *watch, struct bridge *bridge, int timeout_ms)
{
    int wait_ms = supervision_wait_ms(&watch->supervision);
    int number = wait_for_signal(
        watch->signals,
        timeout_ms < 0 || (wait_ms >= 0 && wait_ms < timeout_ms) ? wait_ms : timeout_ms);

    if (number == SIGHUP && !watch->in_terminal) {
        log_event(LOG_WARNING, "hangup_ignored",
                  "SIGHUP is ignored: kopru does not read its files again",
                  LOG_TEXT("hint", "restart kopru after a change of its configuration"));
        number = 0;
    }
    supervision_look(&watch->supervision, bridge);
    return number;
}

/* Leaves without freeing: threads still use everything. */
static _Noreturn void leave_at_once(const char *event, const char *message)
{
    log_event(LOG_WARNING, event, message,
              LOG_TEXT("effect", "the broker delivers what is not acknowledged again"));
    log_stop();
    _exit(ERROR_PROBLEMS);
}

static int finish(struct bridge *bridge, struct watch *watch, int timeout_s)
{
    int64_t deadline = clock_monotonic_ms() + (int64_t)timeout_s * 1000;
    int status;

    supervision_stopping(&watch->supervision);
    bridge_stop(bridge);
    while (!bridge_finished(bridge)) {
        if (wait_for_end(watch, bridge, FINISH_LOOK_MS) != 0)
            leave_at_once("stopped_at_once", "a second signal came before everything was finished");
        if (clock_left_ms(deadline) == 0)
            leave_at_once("shutdown_timeout",
                          "shutdown_timeout is over before everything was finished");
    }
    status = bridge_acknowledged_all(bridge) ? 0 : ERROR_PROBLEMS;
    endpoint_close(&watch->endpoint);
    bridge_free(bridge);
    log_event(LOG_INFO, "stopped",
              status == 0 ? "every message is committed and acknowledged"
                          : "some messages are not acknowledged; the broker delivers them again",
              LOG_NUMBER("status", status));
    return status;
}

static int run_bridge(const struct configuration *configuration, const sigset_t *signals,
                      struct error *err)
{
    const struct settings *settings = &configuration->settings;
    struct watch watch = { .in_terminal = has_terminal(), .supervision.notifier.fd = -1 };
    struct wiring wiring;
    struct bridge *bridge;
    int status = -1;
    int number;

    watch.signals = open_signals(signals, err);
    if (watch.signals < 0)
        return -1;
    if (wiring_init(&wiring, configuration, err) != 0 ||
        amqp_endpoint_check(&wiring.endpoint, err) != 0 ||
        endpoint_open(&watch.endpoint, settings, err) != 0)
        goto out;
    supervision_open(&watch.supervision, watch.endpoint.silence_limit_ms);
    if (bridge_start(&bridge, wiring.queues, wiring.queue_count, &wiring.lease, err) != 0) {
        /* Threads may have started and use all this, so nothing may be freed. */
        log_error(LOG_ERROR, "start_failed", err, (const struct log_field[]){ { 0 } });
        log_stop();
        _exit(ERROR_INTERNAL);
    }
    endpoint_show(&watch.endpoint, bridge);
    log_event(LOG_INFO, "started", "kopru is running", LOG_TEXT("version", kopru_version()),
              LOG_TEXT("config", settings->path), LOG_NUMBER("queues", settings->queue_count));
    do {
        number = wait_for_end(&watch, bridge, -1);
    } while (number == 0);
    log_event(LOG_INFO, "stopping", "accepting no more deliveries, finishing those received",
              LOG_TEXT("signal", strsignal(number)),
              LOG_NUMBER("shutdown_timeout_s", settings->shutdown_timeout_s));
    status = finish(bridge, &watch, settings->shutdown_timeout_s);
out:
    supervision_close(&watch.supervision);
    endpoint_close(&watch.endpoint);
    wiring_release(&wiring);
    close(watch.signals);
    return status;
}

/* Advice is about settings that are valid but probably not intended. */
static void log_advice(const struct error_list *advice)
{
    for (size_t i = 0; i < advice->count; i++)
        log_error(LOG_WARNING, "configuration", &advice->items[i],
                  (const struct log_field[]){ { 0 } });
}

static int run(const struct invocation *call, struct error_list *errors)
{
    struct configuration configuration;
    sigset_t signals;
    struct error err;
    int status;

    block_signals(&signals);
    if (log_start(&err) != 0 || log_libraries_take(&err) != 0)
        return command_fail(errors, &err);
    if (configuration_load(&configuration, invocation_value(call, "config"), SETTINGS_ALL,
                           errors) != 0) {
        configuration_release(&configuration);
        return command_status(errors);
    }
    log_configure(configuration.settings.log.level, configuration.settings.log.format);
    log_advice(&configuration.settings.advice);
    status = run_bridge(&configuration, &signals, &err);
    if (status < 0)
        status = command_fail(errors, &err);
    configuration_release(&configuration);
    return status;
}

const struct command CMD_RUN = {
    .name = "run",
    .summary = "consume the queues and keep the tables in step",
    .arguments = "",
    .help = HELP,
    .options = OPTIONS,
    .max_arguments = 0,
    .run = run,
};
