/*
 * What a libpq connection string says, found out without connecting. libpq itself reads it, with
 * its environment variables and its service file.
 */
#ifndef KOPRU_PG_CONNINFO_H
#define KOPRU_PG_CONNINFO_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct pg_conninfo {
    char
        name[256]; /* for messages, without secrets: "host=db1,db2 port=5432 dbname=crm user=kopru",
                       of these only what was given */
    bool is_remote; /* a host that is neither a UNIX socket nor the loopback is named */
    bool has_many_hosts;
    bool asks_read_write; /* target_session_attrs is read-write or primary */
    bool verifies_server; /* sslmode=verify-full, given or by default */
};

/* Returns 0, or -1 with *err: of kind ERROR_CONFIG when the string is wrong, which repeats nothing
   of it that may be a password; of kind ERROR_INTERNAL when there is no memory. */
int pg_conninfo_read(const char *conninfo, struct pg_conninfo *out, struct error *err);

/* The sslmode for pg_conn_open() where none is given, since libpq's own default neither verifies
   the server nor insists on TLS: "verify-full" if a host is neither a UNIX socket nor the loopback,
   and neither conninfo nor PGSSLMODE nor a service file says otherwise, else NULL, which leaves it
   to libpq. A service file that says prefer, libpq's default, counts as one that says nothing. The
   answer is the safe one, "verify-full", when conninfo cannot be read or there is no memory. */
const char *pg_conninfo_default_sslmode(const char *conninfo);

#endif
