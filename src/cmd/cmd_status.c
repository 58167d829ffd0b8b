/*
 * A supervisor of containers asks whether a process is to be restarted, and has nothing but an exit
 * status to go by. So the command asks /livez of the running daemon: the program is in every image,
 * a client for HTTP is not. It asks no server itself and reads nothing but http.listen, because
 * neither an outage nor a line that somebody is editing is a reason to restart a daemon that lives.
 */
#include "cmd/cmd.h"
#include "config/settings.h"
#include "http/client.h"

#include <stdio.h>
#include <string.h>

enum { DEADLINE_MS = 5000, MAX_BODY_BYTES = 4096, ALIVE = 200, NOT_ALIVE = 503 };

static const struct option_spec OPTIONS[] = {
    { .name = "live", .help = "ask whether the daemon is alive (required)" },
    { OPTION_CONFIG },
    { OPTION_HELP },
    { OPTION_END },
};

static const char HELP[] =
    "example: kopru status --live\n"
    "\n"
    "Asks the daemon on this machine whether it is alive, for supervisors that need a\n"
    "command: a daemon that is not should be restarted. It is alive while its threads\n"
    "make progress, whether or not broker and database are there; /readyz tells\n"
    "whether it can work. The question is /livez at http.listen of the configuration,\n"
    "or at KOPRU_HTTP_LISTEN. Of the configuration nothing else is read.\n"
    "\n"
    "Exit status: 0 if it is alive, 1 if it says that it is not, 69 if no answer of a\n"
    "daemon came within 5 seconds, 78 if the configuration does not say where to ask.\n";

/* Takes "[-]queue q writers stuck: ..." lines out of what /livez says. Returns out. */
static char *stuck_parts(const char *text, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (const char *line = text; line != NULL && used < size;) {
        const char *end = strchr(line, '\n');

        if (strncmp(line, "[-]", 3) == 0)
            used += (size_t)snprintf(out + used, size - used, "%s%.*s", used > 0 ? "; " : "",
                                     end != NULL ? (int)(end - line - 3) : (int)strlen(line + 3),
                                     line + 3);
        line = end != NULL ? end + 1 : NULL;
    }
    return out;
}

static int explain_answer(const char *address, int status, const struct buffer *body,
                          struct error_list *errors)
{
    const char *text = body->len > 0 ? body->data : "";
    struct error err;
    char parts[512];

    if (status == ALIVE && strcmp(text, "ok\n") == 0) {
        printf("the daemon at %s is alive\n", address);
        return 0;
    }
    if (status == NOT_ALIVE && strstr(text, "[-]") != NULL) {
        error_set(&err, ERROR_PROBLEMS, "the daemon is not alive", address, "%s",
                  stuck_parts(text, parts, sizeof(parts)));
        error_hint(&err, "restart kopru; the end of its log may say what it waits for");
    } else {
        error_set(&err, ERROR_UNAVAILABLE, "another program listens where kopru should", address,
                  "it answers /livez with status %d and not as kopru does", status);
        error_hint(&err, "look at http.listen: kopru run refuses an address that is taken");
    }
    return command_fail(errors, &err);
}

static int ask(const char *address, struct error_list *errors)
{
    struct buffer body;
    struct error err;
    struct error reason;
    int status = 0;
    int result;

    buffer_init(&body, MAX_BODY_BYTES);
    if (http_get(address, "/livez", DEADLINE_MS, &status, &body, &reason) == 0) {
        result = explain_answer(address, status, &body, errors);
    } else {
        error_set(&err, reason.kind, "the daemon does not answer", address, "%s", reason.why);
        error_hint(&err, "is kopru run started, and with this http.listen? Its log names the "
                         "address (http_listening); a process that is stopped is silent, too");
        result = command_fail(errors, &err);
    }
    buffer_release(&body);
    return result;
}

static int ask_as_configured(const struct settings *settings, struct error_list *errors)
{
    struct error err;

    if (settings->http.listen[0] != '\0')
        return ask(settings->http.listen, errors);
    error_set(&err, ERROR_CONFIG, "the daemon cannot be asked", settings->path,
              "http.listen is \"\", which switches the HTTP endpoint off");
    error_hint(&err, "give http.listen an address, such as \"127.0.0.1:9187\", and restart kopru");
    return command_fail(errors, &err);
}

static int run(const struct invocation *call, struct error_list *errors)
{
    struct settings settings;
    struct error err;
    int status;

    if (!invocation_has(call, "live")) {
        error_set(&err, ERROR_USAGE, "missing option", "--live", "%s",
                  "kopru status tells nothing else yet");
        error_hint(&err, "kopru status --live asks whether the daemon is alive; /readyz?verbose at "
                         "http.listen and kopru check say more");
        return command_fail(errors, &err);
    }
    if (settings_load(&settings, invocation_value(call, "config"), SETTINGS_HTTP, errors) != 0)
        status = command_status(errors);
    else
        status = ask_as_configured(&settings, errors);
    settings_release(&settings);
    return status;
}

const struct command CMD_STATUS = {
    .name = "status",
    .summary = "ask the running daemon whether it is alive",
    .arguments = "",
    .help = HELP,
    .options = OPTIONS,
    .max_arguments = 0,
    .run = run,
};
