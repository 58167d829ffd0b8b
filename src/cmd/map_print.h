/*
 * Adds the result of mapping one payload to a document, as the JSON object that `kopru map` prints.
 */
#ifndef KOPRU_CMD_MAP_PRINT_H
#define KOPRU_CMD_MAP_PRINT_H

#include "base/json_out.h"
#include "model/change.h"
#include "model/refusal.h"

/* {"entity":..., "id":..., "rows":{table:[{column:value}]}, "misfits":n, "broken":n}. Text,
   numeric, date and timestamptz are strings, boolean and jsonb are JSON. */
void map_print_change(struct json_out *out, const struct entity *entity,
                      const struct change *change);

/* {"entity":..., "id":null or text, "dead_letter":{"reason":..., "path":..., "detail":...}}; path
   is null where there is none. */
void map_print_refusal(struct json_out *out, const struct entity *entity,
                       const struct refusal *refusal);

#endif
