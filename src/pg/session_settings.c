#include "pg/session_settings.h"

#include "pg/binary.h"
#include "pg/conn_state.h"

#include <stdio.h>

/* set_config(..., true) is SET LOCAL. Every statement of kopru looks rows up by key, so a plan that
   scans a table or hashes it is never right, whatever the statistics say. The idle timeout is the
   server's way out when this process freezes inside a transaction. transaction_timeout, new in
   PostgreSQL 17, would end the session of a batch that each of its statements has time for.
   synchronous_commit: off would let an acknowledged message be lost; any other setting is the
   DBA's. exit_on_error would make a lost connection of a refused row. */
const struct pg_statement PG_SETTINGS = {
    .name = "kopru_settings",
    .sql = "SELECT"
           " set_config('TimeZone', 'UTC', true),"
           " set_config('DateStyle', 'ISO', true),"
           " set_config('search_path', 'pg_catalog, kopru', true),"
           " set_config('statement_timeout', $1, true),"
           " set_config('lock_timeout', $2, true),"
           " set_config('idle_in_transaction_session_timeout', $1, true),"
           " CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL"
           " THEN set_config('transaction_timeout', '0', true) END,"
           " set_config('enable_seqscan', 'off', true),"
           " set_config('enable_hashjoin', 'off', true),"
           " set_config('enable_mergejoin', 'off', true),"
           " set_config('plan_cache_mode', 'force_generic_plan', true),"
           " set_config('jit', 'off', true),"
           " set_config('extra_float_digits', '1', true),"
           " set_config('exit_on_error', 'off', true),"
           " set_config('synchronous_commit',"
           " CASE current_setting('synchronous_commit')"
           " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)",
    .param_count = 2,
    .param_types = (const Oid[]){ TEXT_OID, TEXT_OID },
};

void pg_session_settings_init(struct pg_session_settings *out, const struct pg_settings *settings)
{
    out->values[0] = out->statement_timeout;
    out->lengths[0] = snprintf(out->statement_timeout, sizeof(out->statement_timeout), "%d",
                               settings->statement_timeout_ms);
    out->values[1] = out->lock_timeout;
    out->lengths[1] =
        snprintf(out->lock_timeout, sizeof(out->lock_timeout), "%d", settings->lock_timeout_ms);
    out->params = (struct pg_params){ 2, out->values, out->lengths };
}

const struct pg_params *pg_conn_settings(const struct pg_conn *conn)
{
    return &conn->settings.params;
}
