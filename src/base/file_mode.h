/* Who may read a file, by its mode: for files that hold a secret. Access control lists are not
   looked at; what they grant beyond the mode shows in the bits of the group. */
#ifndef KOPRU_BASE_FILE_MODE_H
#define KOPRU_BASE_FILE_MODE_H

#include <sys/types.h>

enum file_readers {
    FILE_READ_BY_OWNER,     /* nobody else has any right to the file, as libpq wants its passfile */
    FILE_READ_BY_SOME,      /* the group has rights, or others have rights but not to read */
    FILE_READ_BY_EVERYBODY, /* every user of the machine may read it */
};

/* mode is the st_mode of stat(). */
enum file_readers file_mode_readers(mode_t mode);

#endif
