/* Whether a connection string holds a password, so that the file that it stands in must not be
   readable for everybody. When in doubt, it does. */
#ifndef KOPRU_CONFIG_PASSWORD_H
#define KOPRU_CONFIG_PASSWORD_H

#include <stdbool.h>

/* scheme://user:password@host */
bool password_in_uri(const char *uri);

/* libpq's `keyword=value ...` with password or sslpassword, or a postgresql:// URI with either. */
bool password_in_conninfo(const char *conninfo);

#endif
