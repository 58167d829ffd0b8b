#include "config/settings.h"

#include "base/utf8.h"
#include "config/settings_reader.h"

#include <stdlib.h>
#include <string.h>

/*
 * The table of options drives nearly all of this. What is written out here are the two lists, whose
 * elements the table cannot count: the entity files, which are plain strings, and the queues, each
 * of which is a group that the table describes under the name "queues". Reading goes on after each
 * problem, so that `kopru check` names all of them at once.
 */

enum { QUORUM_PREFETCH = 2000 };

static void read_entity_files(struct settings_reader *reader)
{
    struct settings *settings = reader->settings;
    struct cfg list = cfg_list(cfg_root(reader->file), "entity_files");
    size_t count = 0;

    settings->entity_files = calloc(cfg_count(list) + 1, sizeof(char *));
    if (settings->entity_files == NULL) {
        settings_reader_no_memory(reader);
        return;
    }
    for (size_t i = 0; i < cfg_count(list); i++) {
        const char *text;
        char *path;

        if (!cfg_as_string(cfg_item(list, i), &text))
            continue;
        path = cfg_resolve(reader->file, text);
        if (path == NULL) {
            settings_reader_no_memory(reader);
            continue;
        }
        if (text[0] == '\0')
            cfg_problem(cfg_item(list, i), NULL, "it is empty");
        for (size_t k = 0; k < count; k++)
            if (strcmp(settings->entity_files[k], path) == 0)
                cfg_problem(cfg_item(list, i), "remove it", "the file is listed twice");
        settings->entity_files[count++] = path;
        settings->entity_file_count = count;
    }
    if (cfg_exists(list) && cfg_count(list) == 0)
        cfg_problem(list, "name at least one file, such as \"entities/customer.cfg\"",
                    "the list is empty");
}

static void queue_release(struct queue_settings *queue)
{
    free(queue->name);
    free(queue->entity);
}

/* Fills queue from one element. Returns whether it has a name and an entity. */
static bool read_queue(struct settings_reader *reader, struct cfg element, const char *const *names,
                       struct queue_settings *queue)
{
    char location[256];

    memset(queue, 0, sizeof(*queue));
    if (!cfg_exists(element))
        return false;
    cfg_known(element, names);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(OPTIONS[i].group, "queues") == 0)
            settings_reader_option(reader, &OPTIONS[i], element, queue);
    cfg_location(element, location, sizeof(location));
    queue->line = (unsigned)strtoul(strrchr(location, ':') + 1, NULL, 10);
    return queue->name != NULL && queue->entity != NULL;
}

/* Two queues of one entity have no order between them, and two consumers of one queue would compete
   for its lease. */
static void check_queue_is_new(const struct settings_reader *reader, struct cfg element,
                               const struct queue_settings *queue)
{
    const struct settings *settings = reader->settings;

    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct queue_settings *other = &settings->queues[i];

        if (strcmp(other->name, queue->name) == 0)
            cfg_problem(element, "remove one", "queue \"%.*s\" is already in line %u",
                        UTF8_CUT_ARG(queue->name, 100), other->line);
        else if (strcmp(other->entity, queue->entity) == 0)
            cfg_problem(element, "let the ERP publish an entity to one queue",
                        "entity \"%.*s\" already has a queue in line %u, and between two queues "
                        "there is no order, so the message published last could not win",
                        UTF8_CUT_ARG(queue->entity, 60), other->line);
    }
}

static void advise_on_prefetch(struct settings_reader *reader, struct cfg element,
                               const struct queue_settings *queue)
{
    struct error err;
    char location[256];

    if (queue->prefetch <= QUORUM_PREFETCH)
        return;
    error_set(&err, ERROR_NONE, "prefetch is beyond what a quorum queue allows",
              cfg_location(cfg_get(element, "prefetch"), location, sizeof(location)),
              "a quorum queue caps it at %d", QUORUM_PREFETCH);
    error_list_add(&reader->settings->advice, &err);
}

static void read_queues(struct settings_reader *reader)
{
    struct settings *settings = reader->settings;
    struct cfg list = cfg_list(cfg_root(reader->file), "queues");
    const char **names = calloc(OPTION_COUNT + 1, sizeof(*names));

    settings->queues = calloc(cfg_count(list) + 1, sizeof(*settings->queues));
    if (settings->queues == NULL || names == NULL) {
        settings_reader_no_memory(reader);
        free(names);
        return;
    }
    config_option_names("queues", names);
    for (size_t i = 0; i < cfg_count(list); i++) {
        struct cfg element = cfg_item_group(list, i);
        struct queue_settings *queue = &settings->queues[settings->queue_count];

        if (!read_queue(reader, element, names, queue)) {
            queue_release(queue);
            memset(queue, 0, sizeof(*queue));
            continue;
        }
        check_queue_is_new(reader, element, queue);
        advise_on_prefetch(reader, element, queue);
        settings->queue_count++;
    }
    if (cfg_exists(list) && cfg_count(list) == 0)
        cfg_problem(list, "name at least one: { name = \"...\"; entity = \"...\"; }",
                    "the list is empty");
    free(names);
}

/* Finds a group, and adds a problem for each member that is not known. */
static struct cfg open_group(struct settings_reader *reader, const char *name)
{
    struct cfg root = cfg_root(reader->file);
    struct cfg group = name[0] == '\0' ? root : cfg_group(root, name);
    const char **names = calloc(OPTION_COUNT + 1, sizeof(*names));

    if (names == NULL) {
        settings_reader_no_memory(reader);
        return group;
    }
    config_option_names(name, names);
    cfg_known(group, names);
    free(names);
    return group;
}

static void read_all(struct settings_reader *reader)
{
    struct cfg group = { reader->file, NULL };
    bool only_http = reader->scope == SETTINGS_HTTP;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(OPTIONS[i].group, "queues") == 0 ||
            (only_http && strcmp(OPTIONS[i].group, "http") != 0))
            continue;
        if (i == 0 || strcmp(OPTIONS[i].group, OPTIONS[i - 1].group) != 0)
            group = open_group(reader, OPTIONS[i].group);
        settings_reader_option(reader, &OPTIONS[i], group, reader->settings);
    }
    if (only_http)
        return;
    read_entity_files(reader);
    read_queues(reader);
    settings_reader_check(reader);
}

int settings_load(struct settings *settings, const char *path, enum settings_scope scope,
                  struct error_list *problems)
{
    struct settings_reader reader = { .settings = settings, .scope = scope, .problems = problems };
    bool failed;

    memset(settings, 0, sizeof(*settings));
    error_list_init(&settings->advice);
    settings->path = strdup(path);
    reader.refused = calloc(OPTION_COUNT, sizeof(*reader.refused));
    if (settings->path == NULL || reader.refused == NULL) {
        settings_reader_no_memory(&reader);
        free(reader.refused);
        return -1;
    }
    reader.file = cfg_open(path, problems);
    if (reader.file != NULL)
        read_all(&reader);
    settings->is_read = reader.file != NULL;
    failed = reader.file == NULL || reader.failed || cfg_failed(reader.file);
    cfg_close(reader.file);
    free(reader.refused);
    return failed ? -1 : 0;
}

void settings_release(struct settings *settings)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((OPTIONS[i].type == OPTION_TEXT || OPTIONS[i].type == OPTION_FILE) &&
            strcmp(OPTIONS[i].group, "queues") != 0)
            free(*(char **)(void *)((char *)settings + OPTIONS[i].offset));
    for (size_t i = 0; i < settings->entity_file_count; i++)
        free(settings->entity_files[i]);
    for (size_t i = 0; i < settings->queue_count; i++)
        queue_release(&settings->queues[i]);
    free(settings->entity_files);
    free(settings->queues);
    free(settings->path);
    error_list_release(&settings->advice);
    memset(settings, 0, sizeof(*settings));
}
