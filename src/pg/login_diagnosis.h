/*
 * Why a login failed, and what a person can do about it: passwords, passfiles, TLS, certificates,
 * pg_hba.conf. The part of diagnosis.h that reads libpq's own words, since a server that refuses a
 * login sends no fields that libpq hands on.
 */
#ifndef KOPRU_PG_LOGIN_DIAGNOSIS_H
#define KOPRU_PG_LOGIN_DIAGNOSIS_H

#include "pg/failure.h"

#include <libpq-fe.h>

/* PQconnectPoll() has failed on a connection of verbosity PQERRORS_VERBOSE. Fills *failure. May
   take some seconds: when the server's certificate was refused, the handshake is made once more to
   learn the reason (tls_reason.h). */
void pg_diagnose_login(PGconn *pg, struct pg_failure *failure);

#endif
