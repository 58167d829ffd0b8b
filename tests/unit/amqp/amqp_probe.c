/*
 * Drives a consumer on a real broker line by line: each line of stdin is one call, and each line of
 * stdout is its result as a JSON object. The settings of the endpoint are arguments of the form
 * NAME=VALUE: uri, password_file, ca_file, cert_file, key_file, verify_peer, heartbeat_s,
 * connect_timeout_ms, rpc_timeout_ms.
 */
#include "amqp/consumer.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_canonical.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct broker_port broker;
static void *consumer;
static int wake[2];

static void print_member(const char *name, struct slice text)
{
    struct buffer out;

    buffer_init(&out, SIZE_MAX / 4);
    if (text.data != NULL)
        json_write_string(text, &out);
    else
        buffer_append_text(&out, "null");
    printf(",\"%s\":%.*s", name, SLICE_ARG(buffer_slice(&out)));
    buffer_release(&out);
}

static void print_error(const struct error *err)
{
    printf("{\"error\":%d", (int)err->kind);
    print_member("what", slice_of(err->what));
    print_member("subject", slice_of(err->subject));
    print_member("why", slice_of(err->why));
    print_member("hint", slice_of(err->hint));
    printf("}\n");
}

static void print_delivery(const struct delivery *delivery)
{
    printf("{\"tag\":%" PRIu64 ",\"redelivered\":%s,\"body_bytes\":%zu,\"bytes\":%zu",
           delivery->tag, delivery->redelivered ? "true" : "false", delivery->body.len,
           delivery->bytes);
    if (delivery->has_timestamp)
        printf(",\"timestamp\":%" PRIu64, delivery->timestamp_s);
    if (delivery->body.len <= 100)
        print_member("body", delivery->body);
    print_member("content_type", delivery->content_type);
    print_member("message_id", delivery->message_id);
    printf(",\"properties\":%.*s}\n", SLICE_ARG(delivery->properties));
}

static void answer(int result, const struct error *err)
{
    if (result < 0)
        print_error(err);
    else
        printf("{\"ok\":%d}\n", result);
}

static void call_next(int timeout_ms)
{
    struct delivery *delivery;
    struct error err;
    int result = broker.next(consumer, wake[0], timeout_ms, &delivery, &err);

    if (result == 1)
        print_delivery(delivery);
    else
        answer(result, &err);
    delivery_free(delivery);
}

/* Takes count deliveries, and acknowledges them at every hundredth and at the last one. */
static void call_consume(unsigned long count)
{
    struct delivery *delivery = NULL;
    struct error err;
    unsigned long taken = 0;
    unsigned long bytes = 0;
    int result = 1;

    while (taken < count && (result = broker.next(consumer, -1, 10000, &delivery, &err)) == 1) {
        uint64_t tag = delivery->tag;

        taken++;
        bytes += delivery->body.len;
        delivery_free(delivery);
        if ((taken % 100 == 0 || taken == count) && (result = broker.ack(consumer, tag, &err)) != 0)
            break;
    }
    if (result < 0)
        print_error(&err);
    else
        printf("{\"taken\":%lu,\"bytes\":%lu}\n", taken, bytes);
}

static void call_inspect(const char *queue)
{
    struct broker_queue_state state;
    struct error err;

    if (broker.inspect(consumer, queue, &state, &err) != 0)
        print_error(&err);
    else
        printf("{\"messages\":%" PRIu32 ",\"consumers\":%" PRIu32 "}\n", state.messages,
               state.consumers);
}

/* Acknowledges until the broker no longer reads what is sent, but at most count times. */
static void call_flood(unsigned long count)
{
    struct error err;

    for (unsigned long i = 0; i < count; i++) {
        if (broker.ack(consumer, 1, &err) != 0) {
            print_error(&err);
            return;
        }
    }
    printf("{\"ok\":0}\n");
}

/* Prints the answer to ask(), if next() has received it. */
static void call_answered(void)
{
    struct broker_queue_state state;

    if (broker.answered(consumer, &state))
        printf("{\"messages\":%" PRIu32 ",\"consumers\":%" PRIu32 "}\n", state.messages,
               state.consumers);
    else
        printf("{\"messages\":null}\n");
}

static void *interrupt_soon(void *delay_ms)
{
    poll(NULL, 0, *(int *)delay_ms);
    broker.interrupt(consumer);
    return NULL;
}

/* Calls next() while another thread interrupts it after delay_ms. */
static void call_interrupted(int delay_ms)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, interrupt_soon, &delay_ms) != 0)
        abort();
    call_next(60000);
    pthread_join(thread, NULL);
}

static void run_line(char *line)
{
    char *command = strtok(line, " \n");
    char *first = strtok(NULL, " \n");
    char *second = strtok(NULL, " \n");
    struct error err = { 0 };

    if (command == NULL)
        return;
    if (strcmp(command, "inspect") == 0 && first != NULL)
        call_inspect(first);
    else if (strcmp(command, "subscribe") == 0 && second != NULL)
        answer(broker.subscribe(consumer, first, atoi(second), &err), &err);
    else if (strcmp(command, "next") == 0 && first != NULL)
        call_next(atoi(first));
    else if (strcmp(command, "consume") == 0 && first != NULL)
        call_consume(strtoul(first, NULL, 10));
    else if (strcmp(command, "idle") == 0 && first != NULL)
        answer(broker.idle(consumer, wake[0], atoi(first), &err), &err);
    else if (strcmp(command, "ack") == 0 && first != NULL)
        answer(broker.ack(consumer, strtoull(first, NULL, 10), &err), &err);
    else if (strcmp(command, "cancel") == 0)
        answer(broker.cancel(consumer, &err), &err);
    else if (strcmp(command, "flood") == 0 && first != NULL)
        call_flood(strtoul(first, NULL, 10));
    else if (strcmp(command, "ask") == 0)
        answer(broker.ask(consumer, &err), &err);
    else if (strcmp(command, "answered") == 0)
        call_answered();
    else if (strcmp(command, "interrupted") == 0 && first != NULL)
        call_interrupted(atoi(first));
    else if (strcmp(command, "wake") == 0)
        answer(write(wake[1], "", 1) == 1 ? 0 : -1, &err);
    else if (strcmp(command, "heartbeat") == 0)
        answer(broker.heartbeat_s(consumer), &err);
    else
        printf("{\"unknown\":true}\n");
}

static void set(struct amqp_endpoint *endpoint, char *argument)
{
    char *value = strchr(argument, '=');
    const char **texts[] = { &endpoint->uri, &endpoint->password_file, &endpoint->ca_file,
                             &endpoint->cert_file, &endpoint->key_file };
    const char *text_names[] = { "uri", "password_file", "ca_file", "cert_file", "key_file" };
    int *numbers[] = { &endpoint->heartbeat_s, &endpoint->connect_timeout_ms,
                       &endpoint->rpc_timeout_ms };
    const char *number_names[] = { "heartbeat_s", "connect_timeout_ms", "rpc_timeout_ms" };

    if (value == NULL)
        abort();
    *value++ = '\0';
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(argument, text_names[i]) == 0)
            *texts[i] = value;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(argument, number_names[i]) == 0)
            *numbers[i] = atoi(value);
    if (strcmp(argument, "verify_peer") == 0)
        endpoint->verify_peer = strcmp(value, "true") == 0;
}

int main(int argc, char **argv)
{
    struct amqp_endpoint endpoint = {
        .verify_peer = true, .heartbeat_s = 20, .connect_timeout_ms = 10000, .rpc_timeout_ms = 10000
    };
    struct error err;
    char line[512];
    int result;

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++)
        set(&endpoint, argv[i]);
    if (pipe(wake) != 0)
        return 1;
    broker = amqp_broker_port(&endpoint);
    result = broker.open(broker.context, &consumer, &err);
    answer(result, &err);
    while (result == 0 && fgets(line, sizeof(line), stdin) != NULL)
        run_line(line);
    broker.close(consumer);
    return result == 0 ? 0 : 1;
}
