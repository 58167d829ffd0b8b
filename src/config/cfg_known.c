#include "config/cfg.h"

#include "base/nearest.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* libconfig accepts every name, so a misspelt one would silently mean the default. Every group is
   therefore compared with the names that are known in it, and the nearest one is suggested: most
   unknown names are typing errors. */

static bool is_among(const char *name, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void write_all(const char *const *names, char *out, size_t size)
{
    text_set(out, size, "known here:");
    for (size_t i = 0; names[i] != NULL; i++)
        text_append(out, size, "%s %s", i > 0 ? "," : "", names[i]);
}

void cfg_known(struct cfg group, const char *const *keys)
{
    if (cfg_type(group) != CFG_GROUP)
        return;
    for (size_t i = 0; i < cfg_count(group); i++) {
        struct cfg member = cfg_item(group, i);
        const char *nearest;
        char hint[512];

        if (is_among(cfg_name(member), keys))
            continue;
        nearest = nearest_name(cfg_name(member), keys);
        if (nearest != NULL)
            snprintf(hint, sizeof(hint), "did you mean \"%s\"?", nearest);
        else
            write_all(keys, hint, sizeof(hint));
        cfg_problem(member, hint, "no setting of this name is known here");
    }
}
