/*
 * Condition variables that wait on the monotonic clock, because a jump of the wall clock must
 * neither shorten nor lengthen a wait.
 */
#ifndef KOPRU_BASE_CONDITION_H
#define KOPRU_BASE_CONDITION_H

#include <pthread.h>
#include <stdint.h>

void condition_init(pthread_cond_t *condition);

/* Waits like pthread_cond_timedwait(): the caller holds the lock, and the wait may end early.
   deadline_ms is a time of clock_monotonic_ms(). */
void condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_ms);

#endif
