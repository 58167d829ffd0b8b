#include "config/password.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/*
 * Neither libpq nor the URI reader is asked, because a text that they refuse may hold a password as
 * well, and its file must not be readable for everybody either. A wrong yes costs the operator a
 * chmod, a wrong no a password.
 */

bool password_in_uri(const char *uri)
{
    const char *start = strstr(uri, "://");
    const char *colon;
    const char *at;

    if (start == NULL)
        return false;
    start += 3;
    /* A password may hold an @ or / that is not escaped; when in doubt, there is a password. */
    at = strrchr(start, '@');
    colon = strchr(start, ':');
    return at != NULL && colon != NULL && colon + 1 < at;
}

static bool is_password_keyword(const char *keyword, size_t len)
{
    return (len == 8 && memcmp(keyword, "password", 8) == 0) ||
           (len == 11 && memcmp(keyword, "sslpassword", 11) == 0);
}

/* Returns the end of a value in libpq's form: '...' with backslash escapes, or up to a space. */
static const char *skip_value(const char *at)
{
    bool quoted = *at == '\'';

    if (quoted)
        at++;
    while (*at != '\0' && (quoted ? *at != '\'' : !isspace((unsigned char)*at)))
        at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
    return quoted && *at == '\'' ? at + 1 : at;
}

static const char *skip_space(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

bool password_in_conninfo(const char *conninfo)
{
    if (strncmp(conninfo, "postgresql://", 13) == 0 || strncmp(conninfo, "postgres://", 11) == 0)
        return password_in_uri(conninfo) || strstr(conninfo, "password=") != NULL;
    for (const char *at = skip_space(conninfo); *at != '\0'; at = skip_space(at)) {
        const char *keyword = at;
        size_t len = strcspn(at, "= \t\n\r\f\v");
        const char *value;

        at = skip_space(at + len);
        if (*at != '=')
            continue; /* libpq will refuse this, but a password may follow */
        value = skip_space(at + 1);
        at = skip_value(value);
        if (is_password_keyword(keyword, len) && at > value && strncmp(value, "''", 2) != 0)
            return true;
    }
    return false;
}
