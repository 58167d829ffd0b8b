/*
 * Fills a queue: publishes the messages of a file, persistent and with publisher confirms, and
 * exits with 0 when the broker has confirmed all of them.
 *
 *     publish URI QUEUE FILE [RATE TIMES]
 *
 * FILE contains the bodies one after another, each preceded by its length in four bytes, little
 * endian. RATE is a number of messages per second, evenly spaced; with 0, or without it, messages
 * are published as fast as the broker accepts them. TIMES is a file that gets one line per message:
 * the time at which it was published, in nanoseconds of the monotonic clock.
 */
#include "amqp/library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHANNEL = 1, FRAME_MAX_BYTES = 131072, MAX_UNCONFIRMED = 2000 };

struct publisher {
    amqp_connection_state_t connection;
    bool *confirmed; /* per delivery tag */
    size_t sent;
    size_t low; /* every tag up to this one is confirmed */
};

static int fail(const char *what)
{
    (void)fprintf(stderr, "publish: %s\n", what);
    return -1;
}

static int log_in(struct publisher *publisher, char *uri)
{
    struct amqp_connection_info info;
    amqp_socket_t *socket;

    if (amqp_parse_url(uri, &info) != AMQP_STATUS_OK)
        return fail("the URI cannot be read");
    publisher->connection = amqp_new_connection();
    socket = amqp_tcp_socket_new(publisher->connection);
    if (socket == NULL || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK)
        return fail("cannot connect");
    if (amqp_login(publisher->connection, info.vhost, 1, FRAME_MAX_BYTES, 0, AMQP_SASL_METHOD_PLAIN,
                   info.user, info.password)
            .reply_type != AMQP_RESPONSE_NORMAL)
        return fail("cannot log in");
    amqp_channel_open(publisher->connection, CHANNEL);
    if (amqp_get_rpc_reply(publisher->connection).reply_type != AMQP_RESPONSE_NORMAL)
        return fail("cannot open a channel");
    amqp_confirm_select(publisher->connection, CHANNEL);
    if (amqp_get_rpc_reply(publisher->connection).reply_type != AMQP_RESPONSE_NORMAL)
        return fail("the broker does not confirm");
    return 0;
}

static int take_confirm(struct publisher *publisher, struct timeval *timeout)
{
    amqp_frame_t frame;
    const amqp_basic_ack_t *ack;
    int status = amqp_simple_wait_frame_noblock(publisher->connection, &frame, timeout);

    if (status == AMQP_STATUS_TIMEOUT)
        return 0;
    if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD ||
        frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        return fail("the broker did not confirm");
    ack = frame.payload.method.decoded;
    if (ack->delivery_tag == 0 || ack->delivery_tag > publisher->sent)
        return fail("the broker confirmed what was not sent");
    for (uint64_t tag = ack->multiple ? publisher->low + 1 : ack->delivery_tag;
         tag <= ack->delivery_tag; tag++)
        publisher->confirmed[tag] = true;
    while (publisher->low < publisher->sent && publisher->confirmed[publisher->low + 1])
        publisher->low++;
    amqp_maybe_release_buffers(publisher->connection);
    return 1;
}

/* Reads confirms until at most max_unconfirmed messages have none. */
static int wait_for_confirms(struct publisher *publisher, size_t max_unconfirmed)
{
    while (publisher->sent - publisher->low > max_unconfirmed) {
        struct timeval timeout = { .tv_sec = 30 };
        int taken = take_confirm(publisher, &timeout);

        if (taken == 0)
            return fail("the broker does not confirm in time");
        if (taken < 0)
            return -1;
    }
    return 0;
}

static int send_body(struct publisher *publisher, const char *queue, const unsigned char *body,
                     size_t len)
{
    static char content_type[] = "application/json";
    static const amqp_basic_properties_t PROPERTIES = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
        .content_type = { .len = sizeof(content_type) - 1, .bytes = content_type },
        .delivery_mode = 2,
    };
    amqp_bytes_t bytes = { .len = len, .bytes = (void *)(uintptr_t)body };

    publisher->sent++;
    if (amqp_basic_publish(publisher->connection, CHANNEL, amqp_empty_bytes,
                           amqp_cstring_bytes(queue), 0, 0, &PROPERTIES, bytes) != AMQP_STATUS_OK)
        return fail("cannot publish");
    return wait_for_confirms(publisher, MAX_UNCONFIRMED);
}

static size_t length_at(const unsigned char *at)
{
    return (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

/* Returns the number of bodies, or 0 if the file is cut off. */
static size_t count_bodies(const unsigned char *data, size_t size)
{
    size_t count = 0;

    for (size_t at = 0; at < size; at += 4 + length_at(data + at), count++)
        if (size - at < 4 || size - at - 4 < length_at(data + at))
            return 0;
    return count;
}

/* Sleeps until the n-th message is due. Returns the time in nanoseconds of the monotonic clock. */
static int64_t wait_for_turn(const struct timespec *begin, size_t n, unsigned long rate)
{
    struct timespec now;

    if (rate != 0) {
        uint64_t due_ns = (uint64_t)begin->tv_nsec + (uint64_t)n * 1000000000u / rate;
        struct timespec due = { .tv_sec = begin->tv_sec + (time_t)(due_ns / 1000000000u),
                                .tv_nsec = (long)(due_ns % 1000000000u) };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
            continue;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int publish_all(struct publisher *publisher, const char *queue, const unsigned char *data,
                       size_t size, unsigned long rate, FILE *times)
{
    struct timespec begin;
    size_t n = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t at = 0; at < size; at += 4 + length_at(data + at), n++) {
        int64_t now_ns = wait_for_turn(&begin, n, rate);
        struct timeval at_once = { 0 };

        if (times != NULL)
            (void)fprintf(times, "%lld\n", (long long)now_ns);
        if (send_body(publisher, queue, data + at + 4, length_at(data + at)) != 0)
            return -1;
        while (rate != 0 && publisher->low < publisher->sent)
            if (take_confirm(publisher, &at_once) <= 0)
                break;
    }
    return wait_for_confirms(publisher, 0);
}

static const unsigned char *map_file(const char *path, size_t *size)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *data = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &stat) == 0 && stat.st_size > 0) {
        *size = (size_t)stat.st_size;
        data = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    if (fd >= 0)
        (void)close(fd);
    return data == MAP_FAILED ? NULL : data;
}

static int run(struct publisher *publisher, int argc, char **argv)
{
    const unsigned char *data;
    FILE *times = NULL;
    size_t size = 0;
    size_t count;
    int result;

    if (argc != 4 && argc != 6)
        return fail("usage: publish URI QUEUE FILE [RATE TIMES]");
    data = map_file(argv[3], &size);
    count = data == NULL ? 0 : count_bodies(data, size);
    if (count == 0)
        return fail("the file cannot be read, is empty or cut off");
    publisher->confirmed = calloc(count + 1, sizeof(*publisher->confirmed));
    if (publisher->confirmed == NULL || log_in(publisher, argv[1]) != 0)
        return -1;
    if (argc == 6 && (times = fopen(argv[5], "we")) == NULL)
        return fail("cannot write the times");
    result = publish_all(publisher, argv[2], data, size, argc == 6 ? strtoul(argv[4], NULL, 10) : 0,
                         times);
    if (times != NULL && fclose(times) != 0)
        return fail("cannot write the times");
    return result;
}

int main(int argc, char **argv)
{
    struct publisher publisher = { 0 };
    int result = run(&publisher, argc, argv);

    if (result == 0)
        (void)amqp_connection_close(publisher.connection, AMQP_REPLY_SUCCESS);
    if (publisher.connection != NULL)
        (void)amqp_destroy_connection(publisher.connection);
    free(publisher.confirmed);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
