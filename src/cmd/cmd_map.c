/*
 * The command needs no server, because an entity file is written and tested before the tables
 * exist. It uses the daemon's own mapper with the daemon's limits, so that what it prints is what
 * the daemon would write. It reads one byte more than limits.max_message_bytes: that is enough to
 * see that a body is too large, and an endless input must not fill the memory.
 */
#include "base/json_out.h"
#include "cmd/cmd.h"
#include "cmd/configuration.h"
#include "cmd/input.h"
#include "cmd/map_print.h"

#include <stdio.h>

static const char *const FORMATS[] = { "json", NULL };

static const struct option_spec OPTIONS[] = {
    { .name = "entity",
      .letter = 'e',
      .argument = "NAME",
      .help = "the entity that the payload describes",
      .required = true },
    { OPTION_CONFIG },
    { OPTION_OUTPUT("json", FORMATS) },
    { OPTION_HELP },
    { OPTION_END },
};

static const char HELP[] =
    "example: kopru map --entity customer message.json\n"
    "\n"
    "Prints the rows that one message becomes, or why it would be a dead letter. FILE\n"
    "holds the body of the message; without FILE, or with -, it is read from standard\n"
    "input. No server is asked: kopru map reads the entity files and the settings erp\n"
    "and limits, and nothing else of the configuration.\n"
    "\n"
    "The result is one JSON object. For the root table it shows the key, the columns\n"
    "that this payload sets and, as extra, the values that have no column. For a\n"
    "child table it shows all rows, if the payload replaces them. misfits counts the\n"
    "values that do not fit their column, broken the array elements that became no\n"
    "row.\n"
    "\n"
    "Exit status: 0 if the message is accepted, 65 if it would be a dead letter.\n";

/* A write that fails is seen by command_main(). */
static void print_line(const struct buffer *text)
{
    fwrite(text->data, 1, text->len, stdout);
    putchar('\n');
}

/* Prints the outcome on stdout. Returns the exit status. */
static int print_outcome(const struct entity *entity, enum map_outcome outcome,
                         const struct change *change, const struct refusal *refusal,
                         struct error_list *errors)
{
    struct json_out *json = json_out_new();
    struct buffer text;
    struct error err;
    int status = outcome == MAP_ACCEPTED ? 0 : ERROR_DATA;

    buffer_init(&text, SIZE_MAX / 2);
    if (outcome == MAP_ACCEPTED)
        map_print_change(json, entity, change);
    else
        map_print_refusal(json, entity, refusal);
    if (json_out_print(json, JSON_OUT_PLAIN, &text) == 0)
        print_line(&text);
    else {
        error_no_memory(&err);
        status = command_fail(errors, &err);
    }
    buffer_release(&text);
    json_out_free(json);
    return status;
}

/* At most one byte beyond the limit was read, so the size that the mapper counted is not that of
   the body. */
static void say_it_is_longer(size_t max_bytes, struct refusal *refusal)
{
    snprintf(refusal->detail, sizeof(refusal->detail),
             "more than the %zu bytes that are taken (limits.max_message_bytes)", max_bytes);
}

static int map_body(const struct mapping *mapping, struct slice body, size_t max_bytes,
                    struct error_list *errors)
{
    struct mapper *mapper = mapper_new(mapping);
    struct change *change = NULL;
    struct refusal refusal = { 0 };
    enum map_outcome outcome = MAP_NO_MEMORY;
    struct arena arena;
    struct error err;
    int status;

    arena_init(&arena, mapper_arena_limit(mapping));
    if (mapper != NULL)
        outcome = mapper_map(mapper, body, &arena, &change, &refusal);
    if (outcome == MAP_REFUSED && body.len > max_bytes)
        say_it_is_longer(max_bytes, &refusal);
    if (outcome == MAP_NO_MEMORY) {
        error_no_memory(&err);
        status = command_fail(errors, &err);
    } else {
        status = print_outcome(mapping_entity(mapping), outcome, change, &refusal, errors);
    }
    mapper_free(mapper);
    arena_release(&arena);
    return status;
}

static int run(const struct invocation *call, struct error_list *errors)
{
    const char *entity = invocation_value(call, "entity");
    const char *path = call->argument_count > 0 ? call->arguments[0] : NULL;
    struct configuration configuration;
    const struct mapping *mapping;
    size_t max_bytes;
    struct buffer body;
    struct error err;
    int status;

    buffer_init(&body, 0);
    if (configuration_load(&configuration, invocation_value(call, "config"), SETTINGS_MAPPING,
                           errors) != 0) {
        status = command_status(errors);
        goto done;
    }
    mapping = configuration_mapping(&configuration, entity);
    if (mapping == NULL) {
        status = configuration_unknown_entity(&configuration, entity, errors);
        goto done;
    }
    max_bytes = (size_t)configuration.settings.limits.max_message_bytes;
    buffer_init(&body, max_bytes + 1);
    if (input_read(path, &body, &err) != 0)
        status = command_fail(errors, &err);
    else
        status = map_body(mapping, buffer_slice(&body), max_bytes, errors);
done:
    buffer_release(&body);
    configuration_release(&configuration);
    return status;
}

const struct command CMD_MAP = {
    .name = "map",
    .summary = "print the rows that one message becomes, without any server",
    .arguments = "[FILE]",
    .help = HELP,
    .options = OPTIONS,
    .max_arguments = 1,
    .run = run,
};
