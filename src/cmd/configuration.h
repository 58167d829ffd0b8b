/*
 * What a command works with: kopru.cfg and every mapping that it names. They are loaded together,
 * so that everything wrong with them is reported at once.
 *
 *     if (configuration_load(&configuration, path, SETTINGS_ALL, errors) != 0)
 *         ... release, exit with command_status(errors)
 *     mapping = configuration_mapping(&configuration, "customer");
 *     configuration_release(&configuration);
 */
#ifndef KOPRU_CMD_CONFIGURATION_H
#define KOPRU_CMD_CONFIGURATION_H

#include "base/error.h"
#include "config/settings.h"
#include "mapping/mapper.h"

struct configuration {
    struct settings settings;
    struct mapping **mappings; /* as the entity files, in their order; no two of one entity */
    size_t mapping_count;
};

/* Reads the file and its entity files, and makes erp.time_zone the zone of the process: call before
   threads start. With SETTINGS_ALL each queue's entity must have a file. Returns 0, or -1 with
   every problem added. Release in both cases. */
int configuration_load(struct configuration *configuration, const char *path,
                       enum settings_scope scope, struct error_list *problems);

void configuration_release(struct configuration *configuration);

/* Returns NULL if no entity file describes that entity. */
const struct mapping *configuration_mapping(const struct configuration *configuration,
                                            const char *entity);

/* Adds the usage error of a command that was given the name of an entity that no file describes.
   Returns the exit status. */
int configuration_unknown_entity(const struct configuration *configuration, const char *name,
                                 struct error_list *errors);

#endif
