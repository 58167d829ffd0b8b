/* Suggests the name that was meant: most unknown names are typing errors. */
#ifndef KOPRU_BASE_NEAREST_H
#define KOPRU_BASE_NEAREST_H

#include <stddef.h>

/* Returns the one of the names, which end with NULL, that is nearest to what was written, or NULL
   if none is near: a third of the letters may differ. */
const char *nearest_name(const char *written, const char *const *names);

#endif
