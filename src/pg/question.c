#include "pg/question.h"

#include "pg/round_trip.h"

#include <string.h>

PGresult *pg_question_ask(struct pg_conn *conn, const struct pg_statement *statement,
                          const char *const *texts, struct pg_failure *failure)
{
    int lengths[PG_QUESTION_MAX_TEXTS];
    const struct pg_params params = { statement->param_count, texts, lengths };
    struct pg_call call = { .statement = statement, .params = &params };

    for (int i = 0; i < statement->param_count; i++)
        lengths[i] = (int)strlen(texts[i]);
    if (pg_conn_round_trip(conn, &call, 1, failure) != 0)
        pg_calls_clear(&call, 1);
    return call.result;
}
