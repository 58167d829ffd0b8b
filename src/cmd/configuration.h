/*
 * What a command works with: kopru.cfg and every mapping it names, loaded together, so that all
 * that is wrong with them is said at once.
 *
 *     if (configuration_load(&configuration, path, SETTINGS_ALL, errors) != 0) ... release, exit
 * with command_status(errors) mapping = configuration_mapping(&configuration, "customer");
 *     configuration_release(&configuration);
 */
#ifndef KOPRU_CMD_CONFIGURATION_H
#define KOPRU_CMD_CONFIGURATION_H

#include "base/error.h"
#include "config/settings.h"
#include "mapping/mapper.h"

struct configuration {
    struct settings settings;
    struct mapping *
        *mappings; /* one for each entity file, in their order; no two of the same entity */
    size_t mapping_count;
};

/* Reads the file and its entity files, and makes erp.time_zone the zone of the process: call before
   threads start. With SETTINGS_ALL each queue's entity must have a file. Returns 0, or -1 with
   every problem added. Release in both cases. */
int configuration_load(struct configuration *configuration, const char *path,
                       enum settings_scope scope, struct error_list *problems);

void configuration_release(struct configuration *configuration);

/* NULL if no entity file describes that entity. */
const struct mapping *configuration_mapping(const struct configuration *configuration,
                                            const char *entity);

/* The usage error of a command that was given a name no entity file describes. Adds it and returns
   the exit status. */
int configuration_unknown_entity(const struct configuration *configuration, const char *name,
                                 struct error_list *errors);

#endif
