#include "cmd/configuration.h"

#include "base/civil_zone.h"
#include "base/text.h"
#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * All files are read before anything is concluded from them, so that one run names every problem,
 * and no problem causes a second one: a mapping that does not load leaves its slot empty, and as
 * long as one is missing nobody says that a queue has no entity. The time zone is set before the
 * mappings are loaded and before any thread exists, because the C library has one zone for the
 * whole process.
 */

static const char *entity_name(const struct mapping *mapping)
{
    return mapping_entity(mapping)->name;
}

/* Writes "customer, subscription" into out. Returns out. */
static char *entity_names(const struct configuration *configuration, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < configuration->mapping_count; i++)
        text_append(out, size, "%s%s", i > 0 ? ", " : "", entity_name(configuration->mappings[i]));
    return out;
}

/* A mapping that does not load stays NULL, so that mappings[i] is always that of
   entity_files[i]. */
static int load_mappings(struct configuration *configuration, struct error_list *problems)
{
    const struct settings *settings = &configuration->settings;
    struct mapping_rules rules = {
        .time_zone = settings->erp.time_zone != NULL ? settings->erp.time_zone
                                                     : "UTC", /* it was refused already */
        .max_message_bytes = (size_t)settings->limits.max_message_bytes,
        .max_depth = (unsigned)settings->limits.max_depth,
    };
    int result = 0;

    configuration->mappings = calloc(settings->entity_file_count + 1, sizeof(struct mapping *));
    if (configuration->mappings == NULL) {
        struct error err;

        error_no_memory(&err);
        error_list_add(problems, &err);
        return -1;
    }
    configuration->mapping_count = settings->entity_file_count;
    for (size_t i = 0; i < settings->entity_file_count; i++)
        if (mapping_load(&configuration->mappings[i], settings->entity_files[i], &rules,
                         problems) != 0)
            result = -1;
    return result;
}

static int check_entities_unique(const struct configuration *configuration,
                                 struct error_list *problems)
{
    int result = 0;

    for (size_t i = 1; i < configuration->mapping_count; i++) {
        for (size_t k = 0; k < i; k++) {
            struct error err;

            if (configuration->mappings[i] == NULL || configuration->mappings[k] == NULL ||
                strcmp(entity_name(configuration->mappings[i]),
                       entity_name(configuration->mappings[k])) != 0)
                continue;
            result = -1;
            if (strcmp(configuration->settings.entity_files[i],
                       configuration->settings.entity_files[k]) == 0)
                continue; /* the same file listed twice was reported before */
            error_set(&err, ERROR_CONFIG, "two entity files describe the same entity",
                      configuration->settings.entity_files[i], "%s describes \"%s\" as well",
                      configuration->settings.entity_files[k],
                      entity_name(configuration->mappings[i]));
            error_hint(&err, "take one of them out of entity_files");
            error_list_add(problems, &err);
        }
    }
    return result;
}

static int check_queues(const struct configuration *configuration, struct error_list *problems)
{
    const struct settings *settings = &configuration->settings;
    int result = 0;

    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct queue_settings *queue = &settings->queues[i];
        char names[256];
        char location[256];
        struct error err;

        if (configuration_mapping(configuration, queue->entity) != NULL)
            continue;
        snprintf(location, sizeof(location), "%s:%u", settings->path, queue->line);
        error_set(&err, ERROR_CONFIG, "unknown entity of a queue", location,
                  "no entity file describes \"%s\" of queue \"%s\"", queue->entity, queue->name);
        error_hint(&err, "the entity files describe: %s",
                   entity_names(configuration, names, sizeof(names)));
        error_list_add(problems, &err);
        result = -1;
    }
    return result;
}

int configuration_load(struct configuration *configuration, const char *path,
                       enum settings_scope scope, struct error_list *problems)
{
    struct error err;
    int result;

    memset(configuration, 0, sizeof(*configuration));
    result = settings_load(&configuration->settings, path, scope, problems);
    if (configuration->settings.erp.time_zone != NULL &&
        civil_zone_set(configuration->settings.erp.time_zone, &err) != 0) {
        error_list_add(problems, &err);
        result = -1;
    }
    if (configuration->settings.entity_file_count == 0)
        return result;
    if (load_mappings(configuration, problems) != 0)
        return -1; /* without all mappings no queue can be said to lack one */
    if (check_entities_unique(configuration, problems) != 0)
        result = -1;
    if (scope == SETTINGS_ALL && check_queues(configuration, problems) != 0)
        result = -1;
    return result;
}

void configuration_release(struct configuration *configuration)
{
    for (size_t i = 0; i < configuration->mapping_count; i++)
        mapping_free(configuration->mappings[i]);
    free(configuration->mappings);
    settings_release(&configuration->settings);
    memset(configuration, 0, sizeof(*configuration));
}

const struct mapping *configuration_mapping(const struct configuration *configuration,
                                            const char *entity)
{
    for (size_t i = 0; i < configuration->mapping_count; i++) {
        const struct mapping *mapping = configuration->mappings[i];

        if (mapping != NULL && strcmp(entity_name(mapping), entity) == 0)
            return mapping;
    }
    return NULL;
}

int configuration_unknown_entity(const struct configuration *configuration, const char *name,
                                 struct error_list *errors)
{
    char names[256];
    struct error err;

    error_set(&err, ERROR_USAGE, "unknown entity", name, "no entity file of %s describes it",
              configuration->settings.path);
    error_hint(&err, "the entity files describe: %s",
               entity_names(configuration, names, sizeof(names)));
    return command_fail(errors, &err);
}
