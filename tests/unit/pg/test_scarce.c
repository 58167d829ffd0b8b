/*
 * A batch when memory runs out at any point: it is written whole, or the answer is to try again and
 * the next attempt writes what the first one would have. The connection is a fake that knows the
 * answers of the statements of one batch.
 */
#include "base/civil_time.h"
#include "mapping/mapper.h"
#include "pg/binary.h"
#include "pg/conninfo.h"
#include "pg/copy_in.h"
#include "pg/dead_letters.h"
#include "pg/round_trip.h"
#include "pg/session_settings.h"
#include "pg/store.h"
#include "pg/store_find.h"
#include "pg/transaction.h"
#include "scarce_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_MESSAGES = 8, MAX_CELL_BYTES = 64, MAX_BATCH_BYTES = 1 << 20, EPOCH = 7 };

struct batch {
    struct mapping *mapping;
    struct mapper *mapper;
    struct pg_statements statements;
    struct message *messages[MAX_MESSAGES];
    size_t count;
};

/* The fake connection. */

static const struct pg_statements *known; /* whose answers are given */
static uint64_t sent;                     /* a checksum of all parameters of all statements */
static int copied;                        /* tables, in COPY */
static int commits;
static int rollbacks;
static size_t swallowed; /* rows of each table that COPY leaves out */
static bool is_open;
static bool has_trigger; /* the site has one on the tables, so what was written is looked up */
static bool is_written;  /* the roots were sent in this transaction */

int __wrap_pg_conn_open(struct pg_conn **out, const struct pg_settings *settings,
                        struct pg_failure *failure);
void __wrap_pg_conn_close(struct pg_conn *conn);
int __wrap_pg_conn_round_trip(struct pg_conn *conn, struct pg_call *calls, size_t count,
                              struct pg_failure *failure);
int __wrap_pg_conn_copy(struct pg_conn *conn, struct pg_copy_in *copies, size_t count,
                        struct pg_failure *failure);
int __wrap_pg_conn_commit(struct pg_conn *conn, struct pg_failure *failure);
int __wrap_pg_conn_rollback(struct pg_conn *conn);
const struct pg_params *__wrap_pg_conn_settings(const struct pg_conn *conn);
void __wrap_pg_conn_limit_input(struct pg_conn *conn, size_t max_bytes);

int __wrap_pg_conn_open(struct pg_conn **out, const struct pg_settings *settings,
                        struct pg_failure *failure)
{
    (void)settings;
    (void)failure;
    *out = (struct pg_conn *)&is_open;
    is_open = true;
    return 0;
}

void __wrap_pg_conn_close(struct pg_conn *conn)
{
    (void)conn;
    is_open = false;
}

int __wrap_pg_conn_commit(struct pg_conn *conn, struct pg_failure *failure)
{
    (void)conn;
    (void)failure;
    commits++;
    return 0;
}

int __wrap_pg_conn_rollback(struct pg_conn *conn)
{
    (void)conn;
    rollbacks++;
    return 0;
}

void __wrap_pg_conn_limit_input(struct pg_conn *conn, size_t max_bytes)
{
    (void)conn;
    (void)max_bytes;
}

const struct pg_params *__wrap_pg_conn_settings(const struct pg_conn *conn)
{
    static const char *const values[] = { "20000", "5000" };
    static const int lengths[] = { 5, 4 };
    static const struct pg_params params = { 2, values, lengths };

    (void)conn;
    return &params;
}

static PGresult *new_result(int columns)
{
    static char name[] = "column";
    PGresAttDesc attributes[64] = { 0 };
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

    assert_non_null(result);
    assert_true(columns <= 64);
    for (int i = 0; i < columns; i++)
        attributes[i] = (PGresAttDesc){ .name = name, .format = 1 };
    assert_int_equal(PQsetResultAttrs(result, columns, attributes), 1);
    return result;
}

static void set_bytes(PGresult *result, int row, int column, const void *bytes, size_t len)
{
    char copy[MAX_CELL_BYTES];

    assert_true(len <= sizeof(copy));
    memcpy(copy, bytes, len);
    assert_int_equal(PQsetvalue(result, row, column, copy, (int)len), 1);
}

static void set_number(PGresult *result, int row, int column, size_t width, uint64_t number)
{
    uint64_t wire = __builtin_bswap64(number);

    set_bytes(result, row, column, (const char *)&wire + 8 - width, width);
}

/* Some value of the column's type. */
static void set_any(PGresult *result, int row, int column, const struct column *what)
{
    static const char *const texts[][2] = { { "bag", "characteristic" },
                                            { "subscription_id", "a" } };
    const char *text = what->type == VALUE_JSONB     ? "{\"old\": 1}"
                       : what->type == VALUE_NUMERIC ? "1"
                                                     : "old";

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(what->name, texts[i][0]) == 0)
            text = texts[i][1];
    if (value_is_text(what->type))
        set_bytes(result, row, column, text, strlen(text));
    else if (what->type == VALUE_TIMESTAMPTZ)
        set_number(result, row, column, 8, 1000000);
    else if (what->type == VALUE_BOOLEAN)
        set_number(result, row, column, 1, 1);
    else
        set_number(result, row, column, 4, 1);
}

static PGresult *stored_row(const struct table *table, int more)
{
    PGresult *result = new_result((int)table->column_count + more);

    for (size_t i = 0; i < table->column_count; i++)
        set_any(result, 0, (int)i, &table->columns[i]);
    return result;
}

static PGresult *stored_root(const struct table *table)
{
    static const char hash[DIGEST_BYTES] = { 1 };
    PGresult *result = stored_row(table, ROOT_LOAD_MORE);
    int more = (int)table->column_count;

    set_bytes(result, 0, more + ROOT_LOAD_HASH, hash, sizeof(hash));
    set_number(result, 0, more + ROOT_LOAD_SOURCE_TIME, 8, 5);
    set_number(result, 0, more + ROOT_LOAD_UPDATED_AT, 8, 6);
    return result;
}

/* The number of elements of the first array among the parameters. */
static size_t rows_of(const struct pg_call *call)
{
    const struct pg_params *params = call->params;
    int number = call->statement == &PG_WRITE_DEAD_LETTERS ? PG_DEAD_LETTER_SCALARS : 0;

    if (params == NULL)
        return 0;
    return params->lengths[number] > 12 ? pg_read_u32(params->values[number] + 12) : 0;
}

/* The rows of a child table are all there if they were written, and none is if they were deleted:
   of the two questions about a table the first is about those. */
static PGresult *answer_seek(const struct pg_call *call, bool deleted)
{
    PGresult *result = new_result(1);

    set_number(result, 0, 0, 8, deleted ? 0 : rows_of(call));
    return result;
}

static bool is_seek(const struct pg_statement *statement)
{
    for (size_t i = 0; i < known->entity->child_count; i++)
        if (statement == &known->children[i].seek)
            return true;
    return false;
}

/* An element of an array among the parameters. */
static struct slice element_of(const struct pg_call *call, size_t number, size_t row)
{
    const char *at = call->params->values[number] + 20; /* after the array's header */

    for (; row > 0; row--)
        at += 4 + pg_read_u32(at);
    return (struct slice){ at + 4, pg_read_u32(at) };
}

/* The table to which rows are written, but not deleted; NULL if there is none. */
static const struct table *written_table(const struct pg_statement *statement)
{
    for (size_t i = 0; i < known->entity->child_count; i++)
        if (statement == &known->children[i].write)
            return &known->entity->children[i].table;
    return statement == &known->insert || statement == &known->write ? &known->entity->root : NULL;
}

/* As many rows as were sent, under their own keys. */
static PGresult *answer_write(const struct pg_call *call)
{
    const struct table *table = written_table(call->statement);
    PGresult *result = new_result(table != NULL ? (int)table->key_count : 1);

    is_written = true;
    for (size_t row = 0; row < rows_of(call); row++) {
        set_number(result, (int)row, 0, 1, 1);
        for (size_t i = 0; table != NULL && i < table->key_count; i++) {
            struct slice key = element_of(call, i, row);

            set_bytes(result, (int)row, (int)i, key.data, key.len);
        }
    }
    return result;
}

/* All roots have the payload that was written. */
static PGresult *answer_find_again(const struct pg_call *call)
{
    PGresult *result = new_result(2);

    for (size_t row = 0; row < rows_of(call); row++) {
        set_number(result, (int)row, 0, 4, row + 1);
        set_number(result, (int)row, 1, 1, 1);
    }
    return result;
}

/* "a" is stored, "b" is stored with the same payload, "c" is new. */
static PGresult *answer(const struct pg_call *call)
{
    const struct pg_statement *statement = call->statement;
    PGresult *result;

    for (size_t i = 0; i < known->entity->child_count; i++)
        if (statement == &known->children[i].load)
            return stored_row(&known->entity->children[i].table, 0);
    if (statement == &known->load)
        return stored_root(&known->entity->root);
    if (statement->writes != NULL)
        return answer_write(call);
    if (statement == &known->find && is_written)
        return answer_find_again(call);
    result = new_result(2);
    if (statement == &known->find) {
        set_number(result, 0, 0, 4, 1);
        set_number(result, 0, 1, 1, 0);
        set_number(result, 1, 0, 4, 2);
        set_number(result, 1, 1, 1, 1);
    } else if (statement == &PG_CHECK_EPOCH) {
        set_number(result, 0, 0, 4, 1);
    } else if (statement == &known->foreign && has_trigger) {
        set_number(result, 0, FOREIGN_IS_PARTITIONED, 1, 0);
        set_number(result, 0, FOREIGN_IS_THERE, 1, 1);
    }
    return result;
}

static void add_to_sent(const char *bytes, size_t len)
{
    for (size_t at = 0; at < len; at++)
        sent = (sent ^ (unsigned char)bytes[at]) * UINT64_C(1099511628211);
}

int __wrap_pg_conn_copy(struct pg_conn *conn, struct pg_copy_in *copies, size_t count,
                        struct pg_failure *failure)
{
    (void)failure;
    assert_ptr_equal(conn, &is_open);
    for (size_t i = 0; i < count; i++) {
        add_to_sent(copies[i].data.data, copies[i].data.len);
        copies[i].written = copies[i].rows - swallowed;
    }
    copied += (int)count;
    return 0;
}

int __wrap_pg_conn_round_trip(struct pg_conn *conn, struct pg_call *calls, size_t count,
                              struct pg_failure *failure)
{
    (void)failure;
    assert_ptr_equal(conn, &is_open);
    for (size_t i = 0; i < count; i++) {
        for (int p = 0; calls[i].params != NULL && p < calls[i].params->count; p++)
            add_to_sent(calls[i].params->values[p], (size_t)calls[i].params->lengths[p]);
        calls[i].result = is_seek(calls[i].statement)
                              ? answer_seek(&calls[i], calls[i].statement == calls[i + 1].statement)
                              : answer(&calls[i]);
    }
    return 0;
}

/* The batch. */

static struct message *add_message(struct batch *batch, const char *body)
{
    const struct delivery source = { .body = slice_of(body), .properties = SLICE_LITERAL("{}") };
    struct delivery *delivery = delivery_copy(&source);
    struct message *message = message_new(delivery, mapper_arena_limit(batch->mapping));

    assert_non_null(delivery);
    assert_non_null(message);
    assert_true(batch->count < MAX_MESSAGES);
    message->position = batch->count;
    batch->messages[batch->count++] = message;
    message->refused = mapper_map(batch->mapper, message->delivery->body, &message->arena,
                                  &message->change, &message->refusal) == MAP_REFUSED;
    return message;
}

/* A new root with so many child rows that they are copied. */
static void add_big_message(struct batch *batch)
{
    struct buffer body;

    buffer_init(&body, 65536);
    buffer_append_text(&body, "{\"id\":\"c\",\"engagedParty\":{\"id\":1},\"completionDate\":{"
                              "\"startDateTime\":\"2021-08-13\"}");
    buffer_append_text(&body, ",\"properties\":[");
    for (int i = 0; i < 250; i++)
        buffer_append_format(&body, "%s{\"name\":\"n%d\"}", i > 0 ? "," : "", i);
    buffer_append_text(&body, "]}");
    add_message(batch, body.data);
    buffer_release(&body);
}

static int set_up(void **state)
{
    const struct mapping_rules rules = { "Europe/Istanbul", 65536, 64 };
    struct batch *batch = calloc(1, sizeof(*batch));
    struct error_list problems;
    struct error err;

    assert_non_null(batch);
    error_list_init(&problems);
    assert_int_equal(civil_zone_set(rules.time_zone, &err), 0);
    assert_int_equal(
        mapping_load(&batch->mapping, "etc/entities/subscription.cfg", &rules, &problems), 0);
    batch->mapper = mapper_new(batch->mapping);
    assert_non_null(batch->mapper);
    assert_int_equal(pg_statements_init(&batch->statements, mapping_entity(batch->mapping)), 0);
    known = &batch->statements;
    add_message(batch, "{\"id\":\"a\",\"name\":\"n\",\"more\":{\"x\":1},\"characteristic\":[{"
                       "\"name\":\"c\",\"value\":\"1\"}]}");
    add_message(batch, "{\"id\":\"a\",\"status\":\"s\",\"engagedParty\":[],\"old\":null}");
    add_message(batch, "{\"id\":\"b\",\"name\":\"n\"}");
    add_big_message(batch);
    assert_true(add_message(batch, "no json")->refused);
    assert_true(add_message(batch, "{\"id\":\"d\",\"characteristic\":7}")->refused);
    assert_true(add_message(batch, "no json")->refused);
    *state = batch;
    return 0;
}

static int tear_down(void **state)
{
    struct batch *batch = *state;

    for (size_t i = 0; i < batch->count; i++)
        message_free(batch->messages[i]);
    pg_statements_release(&batch->statements);
    mapper_free(batch->mapper);
    mapping_free(batch->mapping);
    free(batch);
    return 0;
}

static enum write_outcome write_batch(struct pg_store *store, struct batch *batch,
                                      struct write_report *report)
{
    const struct write_request request = { batch->messages, batch->count, false };

    sent = 0;
    copied = 0;
    is_written = false;
    commits = 0;
    rollbacks = 0;
    return pg_store_write(store, EPOCH, &request, report);
}

static void write_whole_or_try_again(struct batch *batch)
{
    const struct pg_settings settings = { .conninfo = "" };
    const struct pg_store_target target = { &settings, &batch->statements, "queue", MAX_BATCH_BYTES,
                                            MAX_BATCH_BYTES };
    struct pg_store *store = pg_store_new(&target);
    struct scarce scarce = { 0 };
    struct write_report report;
    uint64_t right;

    assert_non_null(store);
    assert_int_equal(write_batch(store, batch, &report), WRITE_COMMITTED);
    assert_int_equal(report.roots_written, 2);
    assert_int_equal(copied, 2);
    right = sent;
    while (scarce_next(&scarce)) {
        enum write_outcome outcome = write_batch(store, batch, &report);

        if (scarce_end(&scarce)) {
            assert_int_equal(outcome, WRITE_RETRY);
            assert_int_equal(report.error.kind, ERROR_INTERNAL);
            assert_int_equal(commits, 0);
            assert_true(rollbacks == 1 || sent == 0);
        } else {
            assert_int_equal(outcome, WRITE_COMMITTED);
        }
        assert_int_equal(write_batch(store, batch, &report), WRITE_COMMITTED);
        assert_int_equal(commits, 1);
        assert_true(sent == right);
    }
    assert_true(scarce.round > 50);
    pg_store_free(store);
    assert_false(is_open);
}

static void a_batch_is_written_whole_or_tried_again(void **state)
{
    has_trigger = false;
    write_whole_or_try_again(*state);
}

static void so_is_one_that_is_looked_up(void **state)
{
    has_trigger = true;
    write_whole_or_try_again(*state);
    has_trigger = false;
}

/* The rows that COPY wrote are counted without a look at the tables, too. */
static void a_copy_that_leaves_a_row_out_is_rolled_back(void **state)
{
    struct batch *batch = *state;
    const struct pg_settings settings = { .conninfo = "" };
    const struct pg_store_target target = { &settings, &batch->statements, "queue", MAX_BATCH_BYTES,
                                            MAX_BATCH_BYTES };
    struct pg_store *store = pg_store_new(&target);
    struct write_report report;

    assert_non_null(store);
    swallowed = 1;
    assert_int_equal(write_batch(store, batch, &report), WRITE_RETRY);
    swallowed = 0;
    assert_int_equal(commits, 0);
    assert_int_equal(rollbacks, 1);
    assert_true(report.not_written && report.suspect && !report.unclassified);
    assert_int_equal(report.statements, 0);
    assert_string_equal(report.table, "subscription_characteristics");
    assert_string_equal(report.error.subject, "kopru.subscription_characteristics");
    assert_string_equal(report.error.why, "250 rows were to be written, and 249 were");
    assert_int_equal(write_batch(store, batch, &report), WRITE_COMMITTED);
    pg_store_free(store);
}

/* The limit of a batch's memory is another way to find none. */
static void a_batch_of_any_limit_is_written_whole_or_tried_again(void **state)
{
    struct batch *batch = *state;
    const struct pg_settings settings = { .conninfo = "" };
    enum write_outcome outcome = WRITE_RETRY;
    size_t max_bytes;

    for (max_bytes = 0; outcome == WRITE_RETRY && max_bytes < MAX_BATCH_BYTES; max_bytes += 256) {
        const struct pg_store_target target = { &settings, &batch->statements, "queue", max_bytes,
                                                MAX_BATCH_BYTES };
        struct pg_store *store = pg_store_new(&target);
        struct write_report report;

        assert_non_null(store);
        outcome = write_batch(store, batch, &report);
        assert_int_equal(commits, outcome == WRITE_COMMITTED);
        pg_store_free(store);
    }
    assert_int_equal(outcome, WRITE_COMMITTED);
    assert_true(max_bytes > 256);
}

static void statements_are_generated_or_memory_is_short(void **state)
{
    struct batch *batch = *state;
    struct scarce scarce = { 0 };

    while (scarce_next(&scarce)) {
        struct pg_statements statements;
        int result = pg_statements_init(&statements, mapping_entity(batch->mapping));
        bool failed = scarce_end(&scarce);

        assert_int_equal(result, failed ? -1 : 0);
        pg_statements_release(&statements);
    }
    assert_true(scarce.round > 3);
}

static int encode_dead_letters(struct pg_arguments *arguments, struct message **messages,
                               size_t count)
{
    if (pg_arguments_init(arguments, &PG_WRITE_DEAD_LETTERS, PG_DEAD_LETTER_SCALARS,
                          MAX_BATCH_BYTES) != 0 ||
        pg_dead_letters_fill(arguments, "queue", "subscription", messages, count) != 0)
        return -1;
    return pg_arguments_finish(arguments);
}

/* libcrypto asks for memory, too. */
static void dead_letters_are_encoded_or_memory_is_short(void **state)
{
    struct batch *batch = *state;
    struct scarce scarce = { .everywhere = true };

    if (!scarce_reaches_libraries())
        scarce.everywhere = false;
    while (scarce_next(&scarce)) {
        struct pg_arguments arguments = { 0 };
        int result = encode_dead_letters(&arguments, &batch->messages[4], 3);
        bool failed = scarce_end(&scarce);

        assert_true(result == 0 || failed);
        if (result == 0)
            assert_int_equal(arguments.arrays[DEAD_LETTER_BODY].count, 2);
        pg_arguments_release(&arguments);
    }
    assert_true(scarce.round > 10);
}

/* A service manager does not start again what says that its configuration is wrong. */
static void a_connection_string_without_memory_is_no_mistake(void **state)
{
    struct scarce scarce = { .everywhere = true };

    (void)state;
    if (!scarce_reaches_libraries())
        skip();
    while (scarce_next(&scarce)) {
        struct pg_conninfo read;
        struct error err = { 0 };
        int result = pg_conninfo_read("host=db1 dbname=crm user=kopru", &read, &err);
        bool failed = scarce_end(&scarce);

        assert_true(result == 0 || (failed && err.kind == ERROR_INTERNAL));
    }
    assert_true(scarce.round > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_written_whole_or_tried_again),
        TEST(so_is_one_that_is_looked_up),
        TEST(a_copy_that_leaves_a_row_out_is_rolled_back),
        TEST(a_batch_of_any_limit_is_written_whole_or_tried_again),
        TEST(statements_are_generated_or_memory_is_short),
        TEST(dead_letters_are_encoded_or_memory_is_short),
        cmocka_unit_test(a_connection_string_without_memory_is_no_mistake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
