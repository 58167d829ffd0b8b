/*
 * What libraries print on standard error because they cannot return it, such as libpq's warning of
 * a passfile that others may read: it becomes log lines, the event library_message. The thread in
 * which a library prints waits for the line to be written, but no longer than 100 ms.
 */
#ifndef KOPRU_BASE_LOG_LIBRARIES_H
#define KOPRU_BASE_LOG_LIBRARIES_H

#include "base/error.h"

/* Puts a stream that logs in the place of stdio's stderr, to which nothing else of kopru prints.
   Call it once, before there are threads that print. Returns 0, or -1 with an error. */
int log_libraries_take(struct error *err);

#endif
