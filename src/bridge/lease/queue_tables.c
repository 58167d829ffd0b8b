#include "bridge/lease/queue_tables.h"

#include "base/clock.h"
#include "base/log.h"
#include "bridge/timing.h"

void queue_tables_init(struct queue_tables *tables)
{
    *tables = (struct queue_tables){ 0 };
    backoff_init(&tables->backoff, PAUSE_POLICY);
    last_error_init(&tables->error);
}

void queue_tables_release(struct queue_tables *tables)
{
    last_error_release(&tables->error);
}

void queue_tables_begin(struct queue_tables *tables)
{
    tables->checked = false;
    tables->next_check_ms = 0;
}

/* Logs one line, however many problems there are: the first of them and their number. */
static void report(struct queue_tables *tables, const char *queue,
                   const struct error_list *problems, int wait_ms)
{
    if (problems->count == 0)
        return;
    last_error_set(&tables->error, "paused", &problems->items[0], NULL, problems->count - 1);
    log_error(LOG_ERROR, "paused", &problems->items[0],
              (const struct log_field[]){ LOG_TEXT("queue", queue),
                                          LOG_NUMBER("problems", problems->count),
                                          LOG_NUMBER("retry_ms", wait_ms),
                                          { 0 } });
}

static void take_result(struct queue_tables *tables, bool fit, const char *queue,
                        const struct error_list *problems)
{
    int wait_ms;

    tables->checked = fit;
    if (fit) {
        backoff_reset(&tables->backoff);
        last_error_end(&tables->error);
        return;
    }
    wait_ms = backoff_next_ms(&tables->backoff);
    tables->next_check_ms = clock_monotonic_ms() + wait_ms;
    report(tables, queue, problems, wait_ms);
}

int queue_tables_check(struct queue_tables *tables, const struct lease_port *port, void *session,
                       const char *queue, const char *entity, bool *fit, struct error *err)
{
    struct error_list problems;
    int result;

    if (tables->checked || clock_monotonic_ms() < tables->next_check_ms)
        return 0;
    error_list_init(&problems);
    result = port->check_tables(session, queue, entity, &problems);
    if (result >= 0) {
        *fit = result > 0;
        take_result(tables, *fit, queue, &problems);
    } else if (problems.count > 0) {
        *err = problems.items[0];
    } else {
        error_no_memory(err);
    }
    error_list_release(&problems);
    return result >= 0 ? 1 : -1;
}
