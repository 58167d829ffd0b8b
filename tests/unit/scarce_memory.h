/*
 * Lets allocations fail, each of them in turn: a test runs the same work again and again, first
 * with its first allocation failing, then with its second, until it got through without one.
 *
 *     struct scarce scarce = { .everywhere = false };
 *     while (scarce_next(&scarce)) {
 *         result = work();
 *         bool failed = scarce_end(&scarce);      // before any assert
 *         assert_true(failed ? result is "no memory" : result is right)
 *     }
 *
 * Each allocation fails twice: once alone, and once with all that come after it.
 *
 * What counts are the calls in kopru's own files; with everywhere also those in libraries. Those
 * can be reached in plain builds only, not under sanitizers and valgrind: see
 * scarce_reaches_libraries().
 */
#ifndef KOPRU_TESTS_SCARCE_MEMORY_H
#define KOPRU_TESTS_SCARCE_MEMORY_H

#include <stdbool.h>

struct scarce {
    bool everywhere;
    bool lasting;   /* this round: all that come after the failing one fail as well */
    unsigned round; /* the number of the allocation that fails, from 1 */
    bool over;
};

/* Begins a round, unless the last one met no failure. */
bool scarce_next(struct scarce *scarce);

/* Ends the round: allocations succeed again. True if one failed. */
bool scarce_end(struct scarce *scarce);

bool scarce_reaches_libraries(void);

#endif
