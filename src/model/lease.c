#include "model/lease.h"

#include <string.h>

static const char *const NAMES[LEASE_STATE_COUNT] = {
    [LEASE_STATE_HELD] = "held",
    [LEASE_STATE_CONSUMING] = "consuming",
    [LEASE_STATE_DISCONNECTED] = "disconnected",
};

const char *lease_state_name(enum lease_state state)
{
    return NAMES[state];
}

enum lease_state lease_state_of(const char *name)
{
    for (int state = 0; state < LEASE_STATE_COUNT; state++) {
        if (strcmp(NAMES[state], name) == 0)
            return (enum lease_state)state;
    }
    return LEASE_STATE_HELD;
}
