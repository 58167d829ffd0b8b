#include "base/json_out.h"
#include "cmd/cmd.h"
#include "cmd/configuration.h"
#include "pg/describe.h"

#include <stdio.h>
#include <string.h>

/*
 * The statements come from the same generator that kopru run uses, so that a DBA reviews and
 * explains exactly what will be sent. Text and JSON walk through them in the same order, that of a
 * transaction.
 */

static const char *const FORMATS[] = { "sql", "json", NULL };

static const struct option_spec OPTIONS[] = {
    { .name = "entity",
      .letter = 'e',
      .argument = "NAME",
      .help = "only the statements of this entity" },
    { OPTION_CONFIG },
    { OPTION_OUTPUT("sql", FORMATS) },
    { OPTION_HELP },
    { OPTION_END },
};

static const char HELP[] =
    "example: kopru sql --entity customer > customer.sql\n"
    "\n"
    "Prints the statements that kopru run sends, for a DBA to read and EXPLAIN. They\n"
    "are generated from the entity files; no server is asked. The output is a script\n"
    "for psql that prepares every statement and executes none. The comment below each\n"
    "statement is an EXPLAIN EXECUTE with empty arrays, to start from.\n";

/* Where the statements are printed: as text on stdout, or into a JSON array. */
struct printer {
    struct json_out *json; /* NULL: text */
    const char *entity;    /* NULL: common to all */
};

/* One that has no parameters, such as BEGIN, cannot be prepared. */
static void print_as_comment(const char *sql)
{
    const char *end;

    for (; (end = strchr(sql, '\n')) != NULL; sql = end + 1)
        printf("-- %.*s\n", (int)(end - sql), sql);
    printf("-- %s;\n", sql);
}

static void print_text(const struct pg_description *description)
{
    const struct pg_statement *statement = description->statement;

    printf("\n-- %s%s%s: %s\n", statement->name, description->table != NULL ? ", " : "",
           description->table != NULL ? description->table : "", description->purpose);
    if (statement->param_count == 0) {
        print_as_comment(statement->sql);
        return;
    }
    fputs("-- parameters:", stdout);
    for (int i = 0; i < statement->param_count; i++)
        printf("%s $%d %s %s", i > 0 ? "," : "", i + 1, description->parameters[i],
               pg_type_name(statement->param_types[i]));
    printf("\nPREPARE %s (", statement->name);
    for (int i = 0; i < statement->param_count; i++)
        printf("%s%s", i > 0 ? ", " : "", pg_type_name(statement->param_types[i]));
    printf(") AS\n%s;\n-- EXPLAIN EXECUTE %s (", statement->sql, statement->name);
    for (int i = 0; i < statement->param_count; i++)
        printf("%s%s", i > 0 ? ", " : "",
               strchr(pg_type_name(statement->param_types[i]), '[') != NULL ? "'{}'" : "NULL");
    puts(");");
}

static void print_json(struct json_out *json, const char *entity,
                       const struct pg_description *description)
{
    const struct pg_statement *statement = description->statement;

    json_out_object(json, NULL);
    json_out_text(json, "name", statement->name);
    json_out_text(json, "entity", entity);
    json_out_text(json, "table", description->table);
    json_out_text(json, "purpose", description->purpose);
    json_out_array(json, "parameters");
    for (int i = 0; i < statement->param_count; i++) {
        json_out_object(json, NULL);
        json_out_text(json, "name", description->parameters[i]);
        json_out_text(json, "type", pg_type_name(statement->param_types[i]));
        json_out_end(json);
    }
    json_out_end(json);
    json_out_text(json, "sql", statement->sql);
    json_out_end(json);
}

static void print_statement(const struct pg_description *description, void *context)
{
    const struct printer *printer = context;

    if (printer->json != NULL)
        print_json(printer->json, printer->entity, description);
    else
        print_text(description);
}

static int print_entity(struct printer *printer, const struct entity *entity)
{
    struct pg_statements statements;
    int result = pg_statements_init(&statements, entity);

    printer->entity = entity->name;
    if (result == 0) {
        if (printer->json == NULL)
            printf("\n\n-- Entity %s, in the order of a transaction\n", entity->name);
        result = pg_describe_entity(&statements, print_statement, printer);
    }
    pg_statements_release(&statements);
    return result;
}

static int print_all(const struct configuration *configuration, const char *entity,
                     struct printer *printer)
{
    int result = 0;

    if (printer->json == NULL)
        printf("-- The statements of kopru %s\n", kopru_version());
    if (entity == NULL)
        pg_describe_common(print_statement, printer);
    for (size_t i = 0; i < configuration->mapping_count && result == 0; i++) {
        const struct entity *one = mapping_entity(configuration->mappings[i]);

        if (entity == NULL || strcmp(entity, one->name) == 0)
            result = print_entity(printer, one);
    }
    return result;
}

static int print_json_all(const struct configuration *configuration, const char *entity)
{
    struct printer printer = { .json = json_out_new() };
    struct buffer text;
    int result;

    buffer_init(&text, SIZE_MAX / 2);
    json_out_array(printer.json, NULL);
    result = printer.json != NULL ? print_all(configuration, entity, &printer) : -1;
    json_out_end(printer.json);
    if (result == 0)
        result = json_out_print(printer.json, JSON_OUT_PRETTY, &text);
    if (result == 0)
        puts(text.data);
    buffer_release(&text);
    json_out_free(printer.json);
    return result;
}

static int print(const struct configuration *configuration, const char *entity, bool as_json,
                 struct error_list *errors)
{
    struct printer printer = { 0 };
    struct error err;

    if ((as_json ? print_json_all(configuration, entity)
                 : print_all(configuration, entity, &printer)) == 0)
        return 0;
    error_no_memory(&err);
    return command_fail(errors, &err);
}

static int run(const struct invocation *call, struct error_list *errors)
{
    const char *entity = invocation_value(call, "entity");
    struct configuration configuration;
    int status;

    if (configuration_load(&configuration, invocation_value(call, "config"), SETTINGS_MAPPING,
                           errors) != 0)
        status = command_status(errors);
    else if (entity != NULL && configuration_mapping(&configuration, entity) == NULL)
        status = configuration_unknown_entity(&configuration, entity, errors);
    else
        status = print(&configuration, entity,
                       strcmp(invocation_value(call, "output"), "json") == 0, errors);
    configuration_release(&configuration);
    return status;
}

const struct command CMD_SQL = {
    .name = "sql",
    .summary = "print the statements that kopru run sends, for a DBA to read",
    .arguments = "",
    .help = HELP,
    .options = OPTIONS,
    .max_arguments = 0,
    .run = run,
};
