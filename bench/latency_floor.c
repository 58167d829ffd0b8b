/*
 * Measures the shortest time that a message can take from publishing until its row is visible, with
 * kopru's AMQP layer and a transaction in one round trip that writes rows known beforehand. Nothing
 * is decoded, mapped or compared. The messages that arrive during a transaction go into the next
 * one together, so that a slow commit does not delay all that follow.
 *
 *     latency_floor URI QUEUE PREFETCH CONNINFO FIRST_ID COUNT STATEMENT...
 *
 * The n-th message, counted from 0, runs every STATEMENT, prepared, with the text FIRST_ID + n as
 * $1. It exits with 0 after COUNT messages.
 */
#include "source.h"

#include <libpq-fe.h>
#include <stdlib.h>

enum { FIRST_STATEMENT = 7, MAX_STATEMENTS = 8, MAX_TOGETHER = 100 };

static int database_fail(const PGconn *connection)
{
    (void)fprintf(stderr, "latency_floor: %s", PQerrorMessage(connection));
    return -1;
}

static const char *name_of(int statement)
{
    static const char *const NAMES[MAX_STATEMENTS] = { "s0", "s1", "s2", "s3",
                                                       "s4", "s5", "s6", "s7" };

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

/* Reads the results of count statements and of the sync. */
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

/* Until its sync a pipeline is one transaction, without BEGIN and COMMIT. */
static int send_rows(PGconn *connection, unsigned long id, int count)
{
    char text[24];
    const char *value = text;

    (void)snprintf(text, sizeof(text), "%lu", id);
    for (int s = 0; s < count; s++)
        if (PQsendQueryPrepared(connection, name_of(s), 1, &value, NULL, NULL, 0) != 1)
            return database_fail(connection);
    return 0;
}

/* Takes the messages that have arrived, waiting only for the first one, and writes them in one
   transaction. Returns how many there were, or -1. */
static int take_and_write(struct source *source, PGconn *connection, unsigned long next_id,
                          int statements)
{
    struct error err;
    uint64_t tag = 0;
    int taken = 0;

    while (taken < MAX_TOGETHER) {
        struct delivery *delivery;
        int got = source->broker.next(source->consumer, -1, taken == 0 ? 1000 : 0, &delivery, &err);

        if (got < 0)
            return source_fail("latency_floor", &err);
        if (got == 0)
            break;
        tag = delivery->tag;
        delivery_free(delivery);
        if (send_rows(connection, next_id + (unsigned long)taken++, statements) != 0)
            return -1;
    }
    if (taken == 0)
        return 0;
    if (PQpipelineSync(connection) != 1)
        return database_fail(connection);
    if (finish(connection, taken * statements) != 0)
        return -1;
    return source->broker.ack(source->consumer, tag, &err) == 0
               ? taken
               : source_fail("latency_floor", &err);
}

int main(int argc, char **argv)
{
    struct source source = { 0 };
    struct error err;
    PGconn *connection;
    unsigned long first_id;
    unsigned long count;
    int statements = argc - FIRST_STATEMENT;

    if (statements < 1 || statements > MAX_STATEMENTS) {
        (void)fputs("latency_floor: usage: latency_floor URI QUEUE PREFETCH CONNINFO FIRST_ID "
                    "COUNT STATEMENT...\n",
                    stderr);
        return EXIT_FAILURE;
    }
    first_id = strtoul(argv[5], NULL, 10);
    count = strtoul(argv[6], NULL, 10);
    connection = PQconnectdb(argv[4]);
    if (prepare(connection, argv + FIRST_STATEMENT, statements) != 0)
        return EXIT_FAILURE;
    if (source_open(&source, argv[1], argv[2], atoi(argv[3]), &err) != 0)
        return source_fail("latency_floor", &err), EXIT_FAILURE;
    for (unsigned long n = 0; n < count;) {
        int taken = take_and_write(&source, connection, first_id + n, statements);

        if (taken < 0)
            return EXIT_FAILURE;
        n += (unsigned long)taken;
    }
    source.broker.close(source.consumer);
    PQfinish(connection);
    return EXIT_SUCCESS;
}
