#include "bridge/consume/others.h"

#include "base/clock.h"

void others_begin(struct others *others, uint32_t consumers)
{
    others->seen = 0;
    others->asked = false;
    others->asked_at_ms = clock_monotonic_ms();
    others->before = consumers;
    others->uncounted = false;
}

void others_delivered(struct others *others)
{
    others->before = 0;
    others->uncounted = false;
}

/* How many of the consumers in an answer are not ours. */
static uint32_t others_among(struct others *others, uint32_t consumers)
{
    uint32_t own;

    if (others->before > 0)
        others->uncounted = consumers <= others->before;
    others->before = 0;
    own = others->uncounted ? 0 : 1;
    return consumers > own ? consumers - own : 0;
}

/* Returns whether the number can be reported: it did not grow, or the answer before had some,
   too. */
static bool is_confirmed(const struct others *others, uint32_t now)
{
    return now <= others->told || others->seen > 0;
}

static int take_answer(struct others *others, const struct broker_queue_state *state, bool *changed)
{
    uint32_t now = others_among(others, state->consumers);
    bool confirmed = is_confirmed(others, now);

    others->asked = false;
    others->seen = now;
    if (!confirmed)
        return 0;
    *changed = now != others->told;
    others->told = now;
    return 1;
}

int others_check(struct others *others, const struct broker_port *port, void *broker, bool *changed,
                 struct error *err)
{
    struct broker_queue_state state;
    int64_t now_ms = clock_monotonic_ms();

    if (others->asked)
        return port->answered(broker, &state) ? take_answer(others, &state, changed) : 0;
    if (now_ms - others->asked_at_ms < port->heartbeat_s(broker) * INT64_C(1000))
        return 0;
    others->asked = true;
    others->asked_at_ms = now_ms;
    return port->ask(broker, err);
}
