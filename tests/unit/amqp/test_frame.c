#include "amqp/frame.h"

#include "amqp/connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { MAX = 4096 };

static unsigned char bytes[MAX + 1];
static size_t len;

static void put(const void *data, size_t size)
{
    memcpy(bytes + len, data, size);
    len += size;
}

static void put_number(size_t value, int size)
{
    while (size-- > 0)
        bytes[len++] = (unsigned char)(value >> (8 * size));
}

static void begin(int type, int channel)
{
    len = 0;
    put_number((size_t)type, 1);
    put_number((size_t)channel, 2);
    put_number(0, 4);
}

static void end(void)
{
    size_t whole = len + 1;

    put_number(AMQP_FRAME_END, 1);
    len = 3;
    put_number(whole - FRAME_OVERHEAD_BYTES, 4);
    len = whole;
}

/* A content header up to the flags. */
static void begin_header(unsigned flags)
{
    begin(AMQP_FRAME_HEADER, 1);
    put_number(60, 2);
    put_number(0, 2);
    put_number(2, 8);
    put_number(flags, 2);
}

/* Returns what rabbitmq-c decodes from the frame; NULL when it refuses it. */
static amqp_basic_properties_t *decoded(amqp_connection_state_t connection)
{
    static amqp_frame_t frame;

    if (amqp_handle_input(connection, (amqp_bytes_t){ len, bytes }, &frame) != (int)len)
        return NULL;
    assert_int_equal(frame.frame_type, AMQP_FRAME_HEADER);
    assert_int_equal(frame.payload.properties.body_size, 2);
    return frame.payload.properties.decoded;
}

static void the_length_is_known_from_the_head(void **state)
{
    (void)state;
    begin(AMQP_FRAME_BODY, 1);
    put("abc", 3);
    end();
    assert_int_equal(frame_length(bytes, 6, MAX), 0);
    assert_int_equal(frame_length(bytes, 7, MAX), 11);
    assert_int_equal(frame_length(bytes, 11, MAX), 11);
    assert_int_equal(frame_length(bytes, 11, 11), 11);
    assert_int_equal(frame_length(bytes, 11, 10), -1);
}

static void what_no_broker_sends_is_no_frame(void **state)
{
    static const struct {
        int type;
        int channel;
    } wrong[] = {
        { 0, 1 }, { 4, 1 }, { 'A', 1 }, { 255, 1 }, { AMQP_FRAME_BODY, 2 }, { AMQP_FRAME_BODY, 256 }
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        begin(wrong[i].type, wrong[i].channel);
        end();
        assert_int_equal(frame_length(bytes, len, MAX), -1);
    }
    begin(AMQP_FRAME_HEARTBEAT, 0);
    end();
    assert_int_equal(frame_length(bytes, len, MAX), 8);
    memset(bytes + 3, 0xff, 4);
    assert_int_equal(frame_length(bytes, len, MAX), -1);
}

static void a_frame_needs_its_end_and_what_the_library_reads_blindly(void **state)
{
    static const struct {
        int type;
        size_t least;
    } frames[] = { { AMQP_FRAME_METHOD, 4 },
                   { AMQP_FRAME_HEADER, 14 },
                   { AMQP_FRAME_BODY, 0 },
                   { AMQP_FRAME_HEARTBEAT, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        for (size_t size = 0; size <= 14; size++) {
            begin(frames[i].type, 1);
            memset(bytes + len, 0, size);
            len += size;
            end();
            assert_int_equal(frame_prepare(bytes, &len, MAX), size >= frames[i].least);
            bytes[len - 1] ^= 1;
            assert_false(frame_prepare(bytes, &len, MAX));
        }
    }
}

static void flags_without_a_meaning_are_taken_off(void **state)
{
    amqp_connection_state_t connection = amqp_new_connection();
    const amqp_basic_properties_t *properties;

    (void)state;
    for (unsigned extra = 0; extra <= 3; extra++) {
        begin_header(AMQP_BASIC_CONTENT_TYPE_FLAG | extra);
        put("\4text", 5);
        end();
        assert_true(frame_prepare(bytes, &len, MAX));
        properties = decoded(connection);
        assert_non_null(properties);
        assert_int_equal(properties->_flags, AMQP_BASIC_CONTENT_TYPE_FLAG);
        assert_memory_equal(properties->content_type.bytes, "text", 4);
    }
    amqp_destroy_connection(connection);
}

/* A content header with properties before and after the headers, which hold the given bytes. */
static void make_header_around(const void *table, size_t table_len)
{
    begin_header(AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                 AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG);
    put("\2ct\2ce", 6);
    put_number(table_len, 4);
    put(table, table_len);
    put("\2id", 3);
    end();
}

static void assert_replaced(const void *table, size_t table_len)
{
    amqp_connection_state_t connection = amqp_new_connection();
    const amqp_basic_properties_t *properties;
    const amqp_table_entry_t *entry;

    make_header_around(table, table_len);
    assert_true(frame_prepare(bytes, &len, MAX));
    properties = decoded(connection);
    assert_non_null(properties);
    assert_memory_equal(properties->content_type.bytes, "ct", 2);
    assert_memory_equal(properties->content_encoding.bytes, "ce", 2);
    assert_memory_equal(properties->message_id.bytes, "id", 2);
    assert_int_equal(properties->headers.num_entries, 1);
    entry = &properties->headers.entries[0];
    assert_int_equal(entry->key.len, strlen("undecodable"));
    assert_memory_equal(entry->key.bytes, "undecodable", entry->key.len);
    assert_int_equal(entry->value.kind, AMQP_FIELD_KIND_BYTES);
    assert_int_equal(entry->value.value.bytes.len, table_len);
    assert_memory_equal(entry->value.value.bytes.bytes, table, table_len);
    amqp_destroy_connection(connection);
}

static void headers_that_cannot_be_decoded_are_kept_as_bytes(void **state)
{
    (void)state;
    assert_replaced("\1a?", 3);          /* unknown type */
    assert_replaced("\1aI\0\0\0", 6);    /* too short */
    assert_replaced("\5a", 2);           /* a name beyond the end */
    assert_replaced("\1a", 2);           /* no value */
    assert_replaced("\1aS\0\0\0\2x", 8); /* a string beyond the end */
    assert_replaced("\1aA\0\0\0\2Vb", 9);
    assert_replaced("\1aF\0\0\0\3\1b?", 10);
}

/* Writes arrays nested in each other, depth in all. */
static size_t nest(unsigned char *out, size_t depth)
{
    size_t used = 0;

    out[used++] = 1;
    out[used++] = 'a';
    for (size_t level = depth; level-- > 0;) {
        size_t inner = 5 * level;
        const unsigned char head[] = { 'A', 0, 0, (unsigned char)(inner >> 8),
                                       (unsigned char)inner };

        memcpy(out + used, head, sizeof(head));
        used += sizeof(head);
    }
    return used;
}

static void nesting_has_a_limit(void **state)
{
    unsigned char table[2048];
    amqp_connection_state_t connection = amqp_new_connection();

    (void)state;
    make_header_around(
        table, nest(table, FRAME_TABLE_MAX_DEPTH - 1)); /* the table itself is the first level */
    assert_true(frame_prepare(bytes, &len, MAX));
    assert_int_equal(decoded(connection)->headers.entries[0].value.kind, AMQP_FIELD_KIND_ARRAY);
    amqp_destroy_connection(connection);
    assert_replaced(table, nest(table, FRAME_TABLE_MAX_DEPTH));
    assert_replaced(table, nest(table, 300));
}

static void every_type_is_known(void **state)
{
    static const char table[] =
        "\1at\1\1ab\1\1aB\1\1as\1\2\1au\1\2\1aI\1\2\3\4\1ai\1\2\3\4\1af\1\2\3\4\1aD\1\1\2\3\4"
        "\1al\1\2\3\4\5\6\7\b\1aL\1\2\3\4\5\6\7\b\1ad\1\2\3\4\5\6\7\b\1aT\1\2\3\4\5\6\7\b"
        "\1aS\0\0\0\1x\1ax\0\0\0\1x\1aA\0\0\0\2VV\1aF\0\0\0\3\1bV\1aV";
    amqp_connection_state_t connection = amqp_new_connection();

    (void)state;
    make_header_around(table, sizeof(table) - 1);
    assert_true(frame_prepare(bytes, &len, MAX));
    assert_int_equal(decoded(connection)->headers.num_entries, 18);
    amqp_destroy_connection(connection);
}

/* When the frame has no room for the new field's name, the end of the original bytes is cut off. */
static void a_frame_does_not_outgrow_its_limit(void **state)
{
    unsigned char table[256];
    size_t before;

    (void)state;
    memset(table, '?', sizeof(table));
    make_header_around(table, sizeof(table));
    before = len;
    assert_true(frame_prepare(bytes, &len, before + 3));
    assert_int_equal(len, before + 3);
    assert_memory_equal(bytes + len - 4, "\2id\xce", 4);
    assert_int_equal(frame_length(bytes, len, before + 3), len);
    make_header_around(table, 2);
    assert_false(frame_prepare(bytes, &len, len));
}

static void a_header_shorter_than_it_says_is_malformed(void **state)
{
    size_t whole;

    (void)state;
    make_header_around("\1aV", 3);
    whole = len;
    for (size_t cut = FRAME_HEAD_BYTES; cut < whole - 4;
         cut++) { /* the message id is left to the library */
        make_header_around("\1aV", 3);
        bytes[cut] = AMQP_FRAME_END;
        len = cut + 1;
        assert_false(frame_prepare(bytes, &len, MAX));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_length_is_known_from_the_head),
        cmocka_unit_test(what_no_broker_sends_is_no_frame),
        cmocka_unit_test(a_frame_needs_its_end_and_what_the_library_reads_blindly),
        cmocka_unit_test(flags_without_a_meaning_are_taken_off),
        cmocka_unit_test(headers_that_cannot_be_decoded_are_kept_as_bytes),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(every_type_is_known),
        cmocka_unit_test(a_frame_does_not_outgrow_its_limit),
        cmocka_unit_test(a_header_shorter_than_it_says_is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
