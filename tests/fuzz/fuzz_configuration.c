/* kopru.cfg: a file is either complete and within its limits, or every problem has a place, a
   reason and a text. */
#include "config/option.h"
#include "config/settings.h"
#include "fuzz.h"

#include <stdlib.h>

static const char *const VARIABLES[] = { "KOPRU_AMQP_URI", "KOPRU_POSTGRES_CONNINFO",
                                         "KOPRU_HTTP_LISTEN", "KOPRU_LOG_LEVEL" };

static int64_t integer_of(const struct config_option *option, const void *base)
{
    const char *field = (const char *)base + option->offset;
    int64_t value;
    int small;

    if (option->size == sizeof(value)) {
        memcpy(&value, field, sizeof(value));
        return value;
    }
    REQUIRE(option->size == sizeof(small));
    memcpy(&small, field, sizeof(small));
    return small;
}

static void require_in_range(const char *group, const void *base)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *option = &OPTIONS[i];
        bool of_queue = strcmp(option->group, "queues") == 0;
        int64_t value;

        if ((option->type != OPTION_INTEGER && option->type != OPTION_DECIMAL) ||
            of_queue != (strcmp(group, "queues") == 0))
            continue;
        value = integer_of(option, base);
        REQUIRE(value >= option->min * option->factor && value <= option->max * option->factor);
    }
}

static void require_queues(const struct settings *settings)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct queue_settings *queue = &settings->queues[i];

        REQUIRE(queue->name != NULL && queue->entity != NULL);
        require_text(slice_of(queue->name));
        require_text(slice_of(queue->entity));
        REQUIRE(queue->line > 0);
        require_in_range("queues", queue);
        for (size_t k = 0; k < i; k++)
            REQUIRE(strcmp(queue->name, settings->queues[k].name) != 0 &&
                    strcmp(queue->entity, settings->queues[k].entity) != 0);
    }
}

static void require_complete(const struct settings *settings, enum settings_scope scope)
{
    require_in_range("", settings);
    require_queues(settings);
    REQUIRE(settings->entity_file_count > 0);
    for (size_t i = 0; i < settings->entity_file_count; i++)
        require_text(slice_of(settings->entity_files[i]));
    REQUIRE(settings->erp.time_zone != NULL && settings->http.listen != NULL);
    REQUIRE(settings->limits.max_message_bytes <= settings->limits.max_unacknowledged_bytes);
    REQUIRE(settings->limits.max_message_bytes <= settings->batch.max_bytes);
    REQUIRE(settings->postgres.lock_timeout_ms < settings->postgres.statement_timeout_ms);
    REQUIRE(scope != SETTINGS_ALL ||
            (settings->amqp.uri != NULL && settings->postgres.conninfo != NULL));
    REQUIRE(scope != SETTINGS_ALL || settings->queue_count > 0);
}

static void try_scope(const char *path, enum settings_scope scope)
{
    struct settings settings[2];
    struct error_list problems[2];
    int results[2];

    for (int i = 0; i < 2; i++) {
        error_list_init(&problems[i]);
        results[i] = settings_load(&settings[i], path, scope, &problems[i]);
    }
    REQUIRE(results[0] == results[1]);
    require_same_problems(&problems[0], &problems[1]);
    if (results[0] == 0) {
        REQUIRE(problems[0].count == 0);
        require_complete(&settings[0], scope);
    } else {
        require_problems(&problems[0]);
    }
    for (int i = 0; i < 2; i++) {
        settings_release(&settings[i]);
        error_list_release(&problems[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file;

    for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(VARIABLES[0]); i++)
        unsetenv(VARIABLES[i]);
    fuzz_file_open(&file, data, size);
    try_scope(file.path, SETTINGS_ALL);
    try_scope(file.path, SETTINGS_MAPPING);
    fuzz_file_close(&file);
    return 0;
}
