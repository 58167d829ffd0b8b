#include "base/thread.h"

#include <string.h>

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument,
                 struct error *err)
{
    int failed = pthread_create(thread, NULL, run, argument);

    if (failed != 0)
        return error_set(err, ERROR_INTERNAL, "cannot start a thread", name, "%s",
                         strerror(failed));
    pthread_setname_np(*thread, name);
    return 0;
}
