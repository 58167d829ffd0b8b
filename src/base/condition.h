/*
 * Condition variables that wait on the monotonic clock: a jump of the wall clock must neither
 * shorten nor stretch a wait.
 */
#ifndef KOPRU_BASE_CONDITION_H
#define KOPRU_BASE_CONDITION_H

#include <pthread.h>
#include <stdint.h>

void condition_init(pthread_cond_t *condition);

/* As pthread_cond_timedwait(): the lock is held before and after, and it may wake up early.
   deadline_ms as clock_monotonic_ms(). */
void condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_ms);

#endif
