/*
 * Threads with a name, which top -H and debuggers show.
 */
#ifndef KOPRU_BASE_THREAD_H
#define KOPRU_BASE_THREAD_H

#include "base/error.h"

#include <pthread.h>

/* As pthread_create(). The name has at most 15 bytes. Returns 0, or -1 with an error of kind
   ERROR_INTERNAL when the system refuses a thread. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument,
                 struct error *err);

#endif
