/* What the port does without a broker; tests/e2e/test_amqp_consumer.py tests it with one. */
#include "amqp/consumer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct amqp_endpoint endpoint_of(const char *uri)
{
    return (struct amqp_endpoint){
        .uri = uri, .heartbeat_s = 20, .connect_timeout_ms = 1000, .rpc_timeout_ms = 1000
    };
}

static void the_port_has_every_function(void **state)
{
    struct amqp_endpoint endpoint = endpoint_of("amqp://");
    struct broker_port port = amqp_broker_port(&endpoint);

    (void)state;
    assert_ptr_equal(port.context, &endpoint);
    assert_non_null(port.open);
    assert_non_null(port.close);
    assert_non_null(port.inspect);
    assert_non_null(port.subscribe);
    assert_non_null(port.next);
    assert_non_null(port.idle);
    assert_non_null(port.ack);
    assert_non_null(port.ack_one);
    assert_non_null(port.cancel);
    assert_non_null(port.ask);
    assert_non_null(port.answered);
    assert_non_null(port.heartbeat_s);
    assert_non_null(port.interrupt);
    assert_non_null(port.longest_call_ms);
}

/* The port keeps no copy of the endpoint: open() uses what is in it when it is called. */
static void open_reads_the_endpoint_each_time(void **state)
{
    struct amqp_endpoint endpoint = endpoint_of("http://h");
    struct broker_port port = amqp_broker_port(&endpoint);
    void *consumer = NULL;
    struct error err;

    (void)state;
    assert_int_equal(port.open(port.context, &consumer, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_null(consumer);
    endpoint.uri = "amqp://u:p@127.0.0.1:1"; /* no broker listens on port 1 */
    assert_int_equal(port.open(port.context, &consumer, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_null(consumer);
}

static void nothing_can_be_closed(void **state)
{
    struct amqp_endpoint endpoint = endpoint_of("amqp://");

    (void)state;
    amqp_broker_port(&endpoint).close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_port_has_every_function),
        cmocka_unit_test(open_reads_the_endpoint_each_time),
        cmocka_unit_test(nothing_can_be_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
