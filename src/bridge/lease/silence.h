/*
 * For how long the holder of a lease has not written its row, as a standby saw it. Each renewal
 * changes the row's version, whatever the time is by whichever clock: clocks are set, and differ
 * between a server and the one that replaces it. So the standby looks at the row again and again,
 * and measures with its own clock how long the version stays.
 *
 * One look adds no more than the time that lies between two looks when all is well. If it comes
 * late, something held the standby up, and may have held up the holder as well: the database was
 * away, the machine slept, or both processes were frozen. The holder then gets the time to renew.
 */
#ifndef KOPRU_BRIDGE_LEASE_SILENCE_H
#define KOPRU_BRIDGE_LEASE_SILENCE_H

#include "model/lease.h"

/* All zero before the first look. */
struct silence {
    int64_t epoch;
    int64_t version;
    int64_t looked_at_ms; /* monotonic: when the last look was over */
    int64_t silent_ms;
};

/* Takes a look at the row, which was read between these two times of the monotonic clock. Returns
   for how many milliseconds, at least, its holder has been silent. */
int64_t silence_after(struct silence *silence, const struct lease *row, int64_t began_ms,
                      int64_t ended_ms);

#endif
