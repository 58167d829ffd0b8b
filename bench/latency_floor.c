/*
 * The least that a message can take from publish to row visible: kopru's AMQP layer, and one transaction for each message that writes
 * rows which are known before. Nothing is decoded, mapped or compared, and the transaction is one round trip.
 *
 *     latency_floor URI QUEUE PREFETCH CONNINFO FIRST_ID COUNT STATEMENT...
 *
 * The n-th message (from 0) runs every STATEMENT, prepared, with the text FIRST_ID + n as $1. Ends with 0 after COUNT messages.
 */
#include "source.h"

#include <libpq-fe.h>
#include <stdlib.h>

enum { FIRST_STATEMENT = 7, MAX_STATEMENTS = 8 };

static int database_fail(const PGconn *connection)
{
    (void)fprintf(stderr, "latency_floor: %s", PQerrorMessage(connection));
    return -1;
}

static const char *name_of(int statement)
{
    static const char *const NAMES[MAX_STATEMENTS] = { "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7" };

    return NAMES[statement];
}

static int prepare(PGconn *connection, char **statements, int count)
{
    if (PQstatus(connection) != CONNECTION_OK)
        return database_fail(connection);
    for (int s = 0; s < count; s++) {
        PGresult *result = PQprepare(connection, name_of(s), statements[s], 1, NULL);
        ExecStatusType status = PQresultStatus(result);

        PQclear(result);
        if (status != PGRES_COMMAND_OK)
            return database_fail(connection);
    }
    return PQenterPipelineMode(connection) == 1 ? 0 : database_fail(connection);
}

/* Reads the results of `count` statements and of the sync. */
static int finish(PGconn *connection, int count)
{
    int failed = 0;

    for (int s = 0; s <= count; s++) {
        PGresult *result;

        while ((result = PQgetResult(connection)) != NULL) {
            ExecStatusType status = PQresultStatus(result);

            PQclear(result);
            if (status == PGRES_PIPELINE_SYNC)
                return failed;
            if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
                failed = database_fail(connection);
        }
    }
    return failed;
}

/* A pipeline is one transaction until its sync: no BEGIN, no COMMIT. */
static int write_rows(PGconn *connection, unsigned long id, int count)
{
    char text[24];
    const char *value = text;

    (void)snprintf(text, sizeof(text), "%lu", id);
    for (int s = 0; s < count; s++)
        if (PQsendQueryPrepared(connection, name_of(s), 1, &value, NULL, NULL, 0) != 1)
            return database_fail(connection);
    if (PQpipelineSync(connection) != 1)
        return database_fail(connection);
    return finish(connection, count);
}

int main(int argc, char **argv)
{
    struct amqp_consumer *consumer = NULL;
    struct error err;
    PGconn *connection;
    unsigned long first_id;
    unsigned long count;
    int statements = argc - FIRST_STATEMENT;

    if (statements < 1 || statements > MAX_STATEMENTS) {
        (void)fputs("latency_floor: usage: latency_floor URI QUEUE PREFETCH CONNINFO FIRST_ID COUNT STATEMENT...\n", stderr);
        return EXIT_FAILURE;
    }
    first_id = strtoul(argv[5], NULL, 10);
    count = strtoul(argv[6], NULL, 10);
    connection = PQconnectdb(argv[4]);
    if (prepare(connection, argv + FIRST_STATEMENT, statements) != 0)
        return EXIT_FAILURE;
    if (source_open(&consumer, argv[1], argv[2], atoi(argv[3]), &err) != 0)
        return source_fail("latency_floor", &err), EXIT_FAILURE;
    for (unsigned long n = 0; n < count;) {
        struct delivery *delivery;
        uint64_t tag;
        int got = amqp_consumer_next(consumer, -1, 1000, &delivery, &err);

        if (got < 0)
            return source_fail("latency_floor", &err), EXIT_FAILURE;
        if (got == 0)
            continue;
        tag = delivery->tag;
        delivery_free(delivery);
        if (write_rows(connection, first_id + n++, statements) != 0)
            return EXIT_FAILURE;
        if (amqp_consumer_ack(consumer, tag, &err) != 0)
            return source_fail("latency_floor", &err), EXIT_FAILURE;
    }
    amqp_consumer_free(consumer);
    PQfinish(connection);
    return EXIT_SUCCESS;
}
