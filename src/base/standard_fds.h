/*
 * Descriptors 0, 1 and 2, which a caller may have closed.
 */
#ifndef KOPRU_BASE_STANDARD_FDS_H
#define KOPRU_BASE_STANDARD_FDS_H

#include "base/error.h"

/* Opens /dev/null on those that are closed; nothing may have been opened before. Reading 0 and
   writing 1 fail then, as on a closed descriptor; what is written to 2 is gone. Returns 0, or -1
   with an error of kind ERROR_INTERNAL. */
int standard_fds_open(struct error *err);

#endif
