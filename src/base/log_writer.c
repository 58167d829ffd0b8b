#include "base/log_writer.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/*
 * Only a thread can keep a write to standard error from holding up the rest: it may be a pipe, a
 * socket, a terminal that somebody stopped, or a file on a server that is away. O_NONBLOCK would be
 * that of the open file, which the shell and the supervisor share, files ignore it, and even after
 * poll() a write may find the room gone.
 *
 * The lock is held while a line is copied, never while it is written. A line is one write(), so
 * that lines of several processes do not mix in a pipe. Once a line was dropped, the next ones are
 * dropped as well until half of the queue is free: a log with one gap is easier to read than one
 * with a gap behind every line.
 */

enum { LOOK_AGAIN_MS = 10 };

struct record {
    size_t len;
    uint64_t dropped_before; /* lines between this one and the one before it */
};

/* A ring of records, each followed by its line. */
struct queue {
    char bytes[LOG_QUEUE_BYTES];
    size_t start;
    size_t len;
    uint64_t dropped; /* lines since the last record */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work; /* for the thread: something was put, or it shall end */
    pthread_cond_t idle; /* for the others: everything is written */
    struct queue queue;
    bool writing;
    bool stopping;
    pthread_t thread;
    log_notice_format *format_notice;
    atomic_bool running; /* from log_writer_start() on, also once the thread has ended */
    _Atomic uint64_t dropped;
} writer = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the queue ---- */

static void copy_in(struct queue *queue, const void *data, size_t len)
{
    size_t at = (queue->start + queue->len) % LOG_QUEUE_BYTES;
    size_t first = len < LOG_QUEUE_BYTES - at ? len : LOG_QUEUE_BYTES - at;

    memcpy(queue->bytes + at, data, first);
    memcpy(queue->bytes, (const char *)data + first, len - first);
    queue->len += len;
}

static void copy_out(struct queue *queue, void *out, size_t len)
{
    size_t rest = LOG_QUEUE_BYTES - queue->start;
    size_t first = len < rest ? len : rest;

    memcpy(out, queue->bytes + queue->start, first);
    memcpy((char *)out + first, queue->bytes, len - first);
    queue->start = (queue->start + len) % LOG_QUEUE_BYTES;
    queue->len -= len;
}

/* Returns whether there was room. */
static bool queue_put(struct queue *queue, const char *line, size_t len)
{
    const struct record record = { .len = len, .dropped_before = queue->dropped };
    size_t needed = queue->dropped > 0 ? LOG_QUEUE_BYTES / 2 : sizeof(record) + len;

    if (LOG_QUEUE_BYTES - queue->len < needed) {
        queue->dropped++;
        return false;
    }
    queue->dropped = 0;
    copy_in(queue, &record, sizeof(record));
    copy_in(queue, line, len);
    return true;
}

/* Takes the oldest line; if there is none, what was dropped since the last one, with a line of no
   length. */
static struct record queue_take(struct queue *queue, char *line)
{
    struct record record = { .dropped_before = queue->dropped };

    if (queue->len == 0) {
        queue->dropped = 0;
        return record;
    }
    copy_out(queue, &record, sizeof(record));
    copy_out(queue, line, record.len);
    return record;
}

static bool queue_is_empty(const struct queue *queue)
{
    return queue->len == 0 && queue->dropped == 0;
}

/* ---- standard error ---- */

/* Returns whether all of it was written; *done says how much was. */
static bool write_all(const char *data, size_t len, size_t *done)
{
    *done = 0;
    while (*done < len) {
        ssize_t wrote = write(STDERR_FILENO, data + *done, len - *done);

        if (wrote > 0)
            *done += (size_t)wrote;
        else if (wrote < 0 && errno == EAGAIN)
            poll(NULL, 0, LOOK_AGAIN_MS); /* somebody else made the open file non-blocking */
        else if (wrote == 0 || errno != EINTR)
            return false;
    }
    return true;
}

/* What the thread knows of its writes. */
struct output {
    bool broken_off;     /* only the beginning of the last line was written */
    uint64_t unreported; /* lines that were dropped, and no line has said so */
};

/* Writes a line, and first ends one that was broken off. Returns whether all of it was written. */
static bool write_line(struct output *output, const char *line, size_t len)
{
    char data[1 + LOG_LINE_BYTES];
    size_t skipped = output->broken_off ? 0 : 1;
    size_t done;

    data[0] = '\n';
    memcpy(data + 1, line, len);
    if (write_all(data + skipped, 1 + len - skipped, &done)) {
        output->broken_off = false;
        return true;
    }
    output->broken_off = output->broken_off || done > 0;
    return false;
}

static void write_record(struct output *output, const struct record *record, const char *line)
{
    char notice[LOG_LINE_BYTES];

    output->unreported += record->dropped_before;
    if (output->unreported > 0 &&
        write_line(output, notice, writer.format_notice(notice, output->unreported)))
        output->unreported = 0;
    if (record->len > 0 && (output->unreported > 0 || !write_line(output, line, record->len))) {
        output->unreported++;
        atomic_fetch_add(&writer.dropped, 1);
    }
}

/* ---- the thread ---- */

/* The caller holds the lock, which is free while the line is written. */
static void take_and_write(struct output *output)
{
    char line[LOG_LINE_BYTES];
    const struct record record = queue_take(&writer.queue, line);

    writer.writing = true;
    pthread_mutex_unlock(&writer.lock);
    write_record(output, &record, line);
    pthread_mutex_lock(&writer.lock);
    writer.writing = false;
}

static void *write_lines(void *argument)
{
    struct output output = { 0 };

    (void)argument;
    pthread_mutex_lock(&writer.lock);
    for (;;) {
        while (!queue_is_empty(&writer.queue))
            take_and_write(&output);
        pthread_cond_broadcast(&writer.idle);
        if (writer.stopping)
            break;
        pthread_cond_wait(&writer.work, &writer.lock);
    }
    pthread_mutex_unlock(&writer.lock);
    return NULL;
}

/* ---- life ---- */

int log_writer_start(log_notice_format *format_notice, struct error *err)
{
    condition_init(&writer.work);
    condition_init(&writer.idle);
    writer.queue = (struct queue){ 0 };
    writer.stopping = false;
    writer.format_notice = format_notice;
    atomic_store(&writer.dropped, 0);
    if (thread_start(&writer.thread, "log", write_lines, NULL, err) != 0)
        return -1;
    atomic_store(&writer.running, true);
    return 0;
}

void log_writer_put(const char *line, size_t len)
{
    size_t done;

    if (!atomic_load(&writer.running)) {
        write_all(line, len, &done);
        return;
    }
    pthread_mutex_lock(&writer.lock);
    if (writer.stopping || !queue_put(&writer.queue, line, len))
        atomic_fetch_add(&writer.dropped, 1);
    pthread_cond_signal(&writer.work);
    pthread_mutex_unlock(&writer.lock);
}

/* The caller holds the lock. Returns whether everything is written. */
static bool wait_until_idle(int timeout_ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

    while ((writer.writing || !queue_is_empty(&writer.queue)) && clock_left_ms(deadline_ms) > 0)
        condition_wait_until(&writer.idle, &writer.lock, deadline_ms);
    return !writer.writing && queue_is_empty(&writer.queue);
}

void log_writer_flush(int timeout_ms)
{
    if (!atomic_load(&writer.running))
        return;
    pthread_mutex_lock(&writer.lock);
    wait_until_idle(timeout_ms);
    pthread_mutex_unlock(&writer.lock);
}

void log_writer_stop(void)
{
    bool idle;

    if (!atomic_load(&writer.running))
        return;
    pthread_mutex_lock(&writer.lock);
    writer.stopping = true;
    pthread_cond_signal(&writer.work);
    idle = wait_until_idle(LOG_STOP_MS);
    pthread_mutex_unlock(&writer.lock);
    if (idle)
        pthread_join(writer.thread, NULL);
    else
        pthread_detach(writer.thread);
}

uint64_t log_writer_dropped(void)
{
    return atomic_load(&writer.dropped);
}
