#include "pg/conn_wait.h"

#include "base/clock.h"
#include "pg/diagnosis.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

/*
 * A client that only sends while the server only sends is stuck as soon as both sockets are full.
 * So every wait for the socket to take more also reads what has arrived. Bytes are counted as libpq
 * takes them from the socket, because it keeps a result whole and cannot be told to stop.
 */

/* libpq always makes this much room before it reads. */
enum { PART_BYTES = 8192 };

int pg_wait_socket(struct pg_conn *conn, short events, int64_t deadline_ms)
{
    struct pollfd watched = { .fd = PQsocket(conn->pg), .events = events };
    int ready;

    do {
        ready = poll(&watched, 1, clock_left_ms(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    return ready > 0 ? watched.revents : -1;
}

static bool has_too_much_input(const struct pg_conn *conn)
{
    return conn->max_input_bytes > 0 && conn->input_bytes > conn->max_input_bytes;
}

static int waiting_bytes(const struct pg_conn *conn)
{
    int waiting;

    return ioctl(PQsocket(conn->pg), FIONREAD, &waiting) == 0 ? waiting : 0;
}

static bool is_encrypted(PGconn *pg)
{
    return PQsslInUse(pg) || PQgssEncInUse(pg);
}

/* How much was taken from the socket, where this many bytes waited before and after. libpq does not
   tell, and what waits is mostly more than it takes at a time. The difference is too small when
   more arrives meanwhile: a fast server would seem to send nothing. So what libpq takes at the
   least counts, except where it takes encrypted records, which have any size. Either is never more
   than what was taken. */
static size_t taken_bytes(const struct pg_conn *conn, int before, int after)
{
    int part = before < PART_BYTES ? before : PART_BYTES;
    int least = is_encrypted(conn->pg) ? 0 : part;

    return (size_t)(before - after > least ? before - after : least);
}

/* Returns 0, or -1: the connection failed, or more arrived than may. */
static int read_input(struct pg_conn *conn)
{
    int before;

    if (conn->max_input_bytes == 0)
        return PQconsumeInput(conn->pg) == 1 ? 0 : -1;
    before = waiting_bytes(conn);
    if (PQconsumeInput(conn->pg) != 1)
        return -1;
    conn->input_bytes += taken_bytes(conn, before, waiting_bytes(conn));
    return has_too_much_input(conn) ? -1 : 0;
}

/* Sends what is buffered and reads what arrives, so that neither side waits for the other with full
   buffers. */
static int pump(struct pg_conn *conn, bool need_input, int64_t deadline_ms)
{
    int unsent = PQflush(conn->pg);
    int events;

    if (unsent < 0)
        return -1;
    if (unsent == 0 && !need_input)
        return 0;
    events = pg_wait_socket(conn, (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)), deadline_ms);
    if (events < 0)
        return -1;
    if ((events & (POLLIN | POLLHUP | POLLERR)) == 0)
        return 0;
    return read_input(conn);
}

int pg_wait_sent(struct pg_conn *conn, int64_t deadline_ms)
{
    while (PQflush(conn->pg) == 1) {
        if (pump(conn, false, deadline_ms) != 0)
            return -1;
    }
    return 0;
}

int pg_wait_result(struct pg_conn *conn, int64_t deadline_ms, PGresult **result)
{
    while (PQisBusy(conn->pg)) {
        if (pump(conn, true, deadline_ms) != 0)
            return -1;
    }
    *result = PQgetResult(conn->pg);
    return 0;
}

void pg_wait_failed(struct pg_conn *conn, struct pg_failure *failure)
{
    bool was_closed = PQstatus(conn->pg) == CONNECTION_BAD;

    failure->over_limit = has_too_much_input(conn);
    failure->timed_out = !was_closed && !failure->over_limit;
    if (failure->over_limit)
        pg_diagnose_loss(conn->pg, failure, "gave up the connection to the database",
                         "more arrived than a round trip may receive");
    else
        pg_diagnose_loss(conn->pg, failure, "lost the connection to the database",
                         was_closed ? NULL : "no answer within the statement timeout");
}
