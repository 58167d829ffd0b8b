#include "pg/conn_wait.h"

#include "base/clock.h"
#include "pg/diagnosis.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

/*
 * A client that only sends while the server only sends is stuck as soon as both sockets are full.
 * So every wait for the socket to take more also reads what has arrived. The number of bytes that
 * arrive is counted before libpq reads them, because libpq keeps a result whole and cannot be told
 * to stop.
 */

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

/* libpq does not tell how much it reads, so the socket is asked just before. */
static void count_input(struct pg_conn *conn)
{
    int waiting;

    if (conn->max_input_bytes > 0 && ioctl(PQsocket(conn->pg), FIONREAD, &waiting) == 0)
        conn->input_bytes += (size_t)waiting;
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
    count_input(conn);
    return !has_too_much_input(conn) && PQconsumeInput(conn->pg) == 1 ? 0 : -1;
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

    failure->timed_out = !was_closed;
    if (has_too_much_input(conn))
        pg_diagnose_loss(conn->pg, failure, "gave up the connection to the database",
                         "the rows of the batch take too much memory here");
    else
        pg_diagnose_loss(conn->pg, failure, "lost the connection to the database",
                         was_closed ? NULL : "no answer within the statement timeout");
}
