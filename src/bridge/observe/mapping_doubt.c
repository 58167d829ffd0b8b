#include "bridge/observe/mapping_doubt.h"

#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>

/*
 * The texts name properties of the entity file alone. A name that only the messages have may be
 * anything, a person's name included.
 */

void mapping_doubt_init(struct mapping_doubt *doubt)
{
    *doubt = (struct mapping_doubt){ 0 };
    pthread_mutex_init(&doubt->lock, NULL);
}

void mapping_doubt_release(struct mapping_doubt *doubt)
{
    pthread_mutex_destroy(&doubt->lock);
}

/* With the lock held. Returns whether there is a reason that was not said yet. */
static bool has_news(struct mapping_doubt *doubt)
{
    const struct mapping_figures *figures = &doubt->figures;
    bool news = (figures->unmapped > 0 && !doubt->said_unmapped) ||
                (figures->other_case > 0 && !doubt->said_other_case) ||
                (figures->unmatched > 0 && !doubt->said_unmatched);

    doubt->said_unmapped = figures->unmapped > 0;
    doubt->said_other_case = figures->other_case > 0;
    doubt->said_unmatched = doubt->said_unmatched || figures->unmatched > 0;
    return news;
}

static void say(const char *queue, const struct mapping_figures *figures)
{
    char text[FRESHNESS_DOUBT_MAX_BYTES];
    struct error err;

    error_set(&err, ERROR_NONE, "the mapping may not fit the messages", queue, "%s",
              mapping_doubt_text(figures, text, sizeof(text)));
    error_hint(&err, "compare a message with the paths of the entity file (kopru map --entity NAME "
                     "FILE); remove the line of a property that is never sent");
    log_error(LOG_WARNING, "mapping_doubtful", &err,
              (const struct log_field[]){ LOG_TEXT("queue", queue), { 0 } });
}

void mapping_doubt_note(struct mapping_doubt *doubt, const char *queue, const struct change *change,
                        const struct mapper_port *port, void *mapper)
{
    struct mapping_figures *figures = &doubt->figures;
    struct mapping_figures copy;
    bool news;

    pthread_mutex_lock(&doubt->lock);
    if (change->judged_anew)
        figures->unmatched = port->unmatched(mapper, figures->paths, sizeof(figures->paths));
    figures->messages++;
    figures->unmapped += change->unmapped;
    figures->other_case += change->other_case.data != NULL;
    if (change->other_case.data != NULL)
        text_set(figures->name, sizeof(figures->name), "%.*s", SLICE_ARG(change->other_case));
    news = has_news(doubt);
    if (news)
        copy = *figures;
    pthread_mutex_unlock(&doubt->lock);
    if (news)
        say(queue, &copy);
}

void mapping_doubt_read(struct mapping_doubt *doubt, struct mapping_figures *figures)
{
    pthread_mutex_lock(&doubt->lock);
    *figures = doubt->figures;
    pthread_mutex_unlock(&doubt->lock);
}

const char *mapping_doubt_text(const struct mapping_figures *figures, char *out, size_t size)
{
    out[0] = '\0';
    if (figures->unmapped > 0)
        text_append(out, size,
                    "%" PRIu64 " of %" PRIu64 " messages had nothing that the entity file maps but "
                    "their id",
                    figures->unmapped, figures->messages);
    if (figures->other_case > 0)
        text_append(out, size,
                    "%s%" PRIu64 " of %" PRIu64 " messages had a name that differs from \"%s\" by "
                    "its letter case alone",
                    out[0] != '\0' ? "; " : "", figures->other_case, figures->messages,
                    figures->name);
    if (figures->unmatched > 0)
        text_append(out, size, "%snone of %" PRIu64 " messages had %s", out[0] != '\0' ? "; " : "",
                    figures->messages, figures->paths);
    return out;
}
