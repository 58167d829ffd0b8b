#include "pg/ports.h"

#include "pg/catalog.h"
#include "pg/catalog_queue.h"

#include <stdlib.h>
#include <string.h>

/*
 * The lease keeper compares the catalog with the mappings each time it connects and not only at the
 * start, because tables and privileges may change while the daemon runs. What all queues share is
 * compared when it connects; the tables of each entity by themselves, so that what is wrong with
 * one leaves the other queues alone. The writers' sessions need no check of their own: they write
 * only under a lease, which is acquired after it. Failures leave this layer as a struct error,
 * because the bridge decides by the outcome and has no use for libpq's details.
 */

/* The store. */

static void *store_open(void *context)
{
    return pg_store_new(context);
}

static void store_close(void *store)
{
    pg_store_free(store);
}

static enum write_outcome store_write(void *store, int64_t epoch,
                                      const struct write_request *request,
                                      struct write_report *report)
{
    return pg_store_write(store, epoch, request, report);
}

static int store_ask_witness(void *store, int64_t epoch, uint64_t *rest, uint64_t *passed)
{
    return pg_store_ask_witness(store, epoch, rest, passed);
}

struct store_port pg_store_port(struct pg_store_target *target)
{
    return (struct store_port){ .context = target,
                                .open = store_open,
                                .close = store_close,
                                .write = store_write,
                                .ask_witness = store_ask_witness };
}

/* The lease keeper's session. */

struct session {
    const struct pg_lease_target *target;
    struct pg_conn *conn;
    struct pg_lease_stillness seen;
};

static int load_catalog(struct catalog **catalog, struct pg_conn *conn, struct error_list *problems)
{
    struct pg_failure failure;

    if (catalog_load(catalog, conn, &failure) == 0)
        return 0;
    error_list_add(problems, &failure.error);
    return -1;
}

static int check_shared(const struct pg_lease_target *target, struct pg_conn *conn,
                        struct error_list *problems)
{
    struct catalog_report report = { .problems = problems };
    struct catalog *catalog;
    int result;

    if (load_catalog(&catalog, conn, problems) != 0)
        return -1;
    result = catalog_check_server(catalog, target->program_version, &report);
    catalog_free(catalog);
    return result;
}

static const struct entity *find_entity(const struct pg_lease_target *target, const char *name)
{
    for (size_t i = 0; i < target->entity_count; i++)
        if (strcmp(target->entities[i]->name, name) == 0)
            return target->entities[i];
    return NULL;
}

static int session_check_tables(void *handle, const char *queue, const char *name,
                                struct error_list *problems)
{
    const struct session *session = handle;
    const struct entity *entity = find_entity(session->target, name);
    struct catalog_report report = { .problems = problems };
    size_t before = problems->count;
    struct catalog *catalog;
    struct pg_failure failure;
    bool fit;
    int result;

    if (entity == NULL)
        return 1;
    if (load_catalog(&catalog, session->conn, problems) != 0)
        return -1;
    fit = catalog_check_entity(catalog, entity, &report) == 0;
    result = catalog_queue_review(session->conn, catalog, queue, entity, &report, &failure);
    if (result != 0)
        error_list_add(problems, &failure.error);
    catalog_free(catalog);
    /* A problem that found no memory is one, too. */
    return result != 0 ? -1 : fit && problems->count == before && !problems->incomplete;
}

static void session_close(void *handle)
{
    struct session *session = handle;

    if (session == NULL)
        return;
    pg_conn_close(session->conn);
    free(session);
}

static int session_open(void *context, void **out, struct error_list *problems)
{
    struct session *session = calloc(1, sizeof(*session));
    struct pg_failure failure;
    struct error err;

    *out = NULL;
    if (session == NULL) {
        error_no_memory(&err);
        error_list_add(problems, &err);
        return -1;
    }
    session->target = context;
    if (pg_conn_open(&session->conn, session->target->settings, &failure) != 0) {
        error_list_add(problems, &failure.error);
        free(session);
        return -1;
    }
    if (check_shared(session->target, session->conn, problems) != 0) {
        session_close(session);
        return -1;
    }
    *out = session;
    return 0;
}

/* Passes on the error of a failed call. */
static int answer(int result, const struct pg_failure *failure, struct error *err)
{
    if (result < 0)
        *err = failure->error;
    return result;
}

static int lease_read(void *handle, const char *queue, const char *entity, struct lease *lease,
                      struct error *err)
{
    const struct session *session = handle;
    struct pg_failure failure;
    const struct entity *found = find_entity(session->target, entity);

    if (found == NULL)
        return error_set(err, ERROR_INTERNAL, "no such entity", entity, "it was not checked");
    return answer(pg_lease_read(session->conn, queue, found, lease, err, &failure), &failure, err);
}

static int lease_acquire(void *handle, const char *queue, const struct lease_holder *holder,
                         struct lease *lease, struct error *err)
{
    struct session *session = handle;
    struct pg_failure failure;

    return answer(pg_lease_acquire(session->conn, queue, holder, &session->target->patience,
                                   &session->seen, lease, &failure),
                  &failure, err);
}

static int lease_renew(void *handle, const char *queue, const struct lease *mine,
                       const struct freshness *freshness, struct error *err)
{
    const struct session *session = handle;
    struct pg_failure failure;

    return answer(pg_lease_renew(session->conn, queue, mine, freshness, &failure), &failure, err);
}

static int lease_release(void *handle, const char *queue, int64_t epoch,
                         const struct freshness *freshness, struct error *err)
{
    const struct session *session = handle;
    struct pg_failure failure;

    return answer(pg_lease_release(session->conn, queue, epoch, freshness, &failure), &failure,
                  err);
}

struct lease_port pg_lease_port(struct pg_lease_target *target)
{
    return (struct lease_port){ .context = target,
                                .open = session_open,
                                .close = session_close,
                                .check_tables = session_check_tables,
                                .read = lease_read,
                                .acquire = lease_acquire,
                                .renew = lease_renew,
                                .release = lease_release };
}
