/*
 * A libpq connection string looked at without connecting.
 */
#ifndef KOPRU_PG_CONNINFO_H
#define KOPRU_PG_CONNINFO_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct pg_conninfo {
    char name[256]; /* "host=db1,db2 port=5432 dbname=crm user=kopru", only what was given; for
                       messages: without secrets */
    bool is_remote; /* a host that is neither a UNIX socket nor the loopback is named */
    bool has_many_hosts;
    bool asks_read_write; /* target_session_attrs is read-write or primary */
    bool verifies_server; /* sslmode=verify-full, said or by default */
};

/* With libpq's environment variables and service file taken into account. Returns 0, or -1 with err
   of kind ERROR_CONFIG, which repeats no piece of the text. */
int pg_conninfo_read(const char *conninfo, struct pg_conninfo *out, struct error *err);

/* The sslmode for pg_conn_open() where nobody said one: libpq's own default neither verifies the
   server nor insists on TLS. "verify-full" if a host is neither a UNIX socket nor the loopback, and
   neither conninfo nor PGSSLMODE nor a service file say otherwise; NULL: leave it to libpq. A
   service file that says prefer, libpq's default, counts as one that says nothing. What cannot be
   read, or finds no memory to be, gets the safe answer. */
const char *pg_conninfo_default_sslmode(const char *conninfo);

#endif
