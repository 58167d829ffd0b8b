/*
 * Entity files: one that is accepted describes tables that PostgreSQL can have, gives statements,
 * and maps payloads; of any other every problem has a place, a reason and a text.
 */
#include "fuzz_mapping.h"

#include "base/civil_time.h"
#include "mapping/compiled.h"
#include "mapping/table_draft.h"
#include "pg/statements.h"

#include <stdlib.h>

static const struct mapping_rules RULES = { "Europe/Istanbul", FUZZ_MAX_MESSAGE_BYTES,
                                            FUZZ_MAX_DEPTH };

static const char *const PAYLOADS[] = {
    "{\"id\":\"1\",\"name\":\"n\",\"status\":{\"a\":[1]},\"contactMedium\":[{\"city\":\"c\","
    "\"validFor\":{\"startDateTime\":\"2021-08-13\"}},"
    "{},7],\"characteristic\":[{\"name\":\"a\",\"valueType\":\"Float\",\"value\":\"1.5\"},{"
    "\"name\":\"a\"}],\"engagedParty\":{\"id\":\"2\"}}",
    "{\"id\":1,\"a\":null,\"b\":{},\"name\":7,\"validFor\":1,\"characteristic\":null,"
    "\"contactMedium\":{},\"properties\":[[]]}",
};

static void require_table(const struct table *table)
{
    REQUIRE(table_name_fault(table->name) == NULL);
    REQUIRE(table->column_count <= MAPPING_MAX_COLUMNS);
    REQUIRE(table->key_count >= 1 && table->key_count < table->column_count);
    REQUIRE(table->extra == table->column_count - 1);
    REQUIRE(strcmp(table->columns[table->extra].name, "extra") == 0 &&
            table->columns[table->extra].type == VALUE_JSONB);
    for (size_t i = 0; i < table->column_count; i++) {
        REQUIRE(table_name_fault(table->columns[i].name) == NULL);
        for (size_t k = 0; k < i; k++)
            REQUIRE(strcmp(table->columns[i].name, table->columns[k].name) != 0);
    }
}

static void require_entity(const struct entity *entity)
{
    struct pg_statements statements;
    size_t sets = 0;

    REQUIRE(table_name_fault(entity->name) == NULL);
    REQUIRE(entity->root.key_count == 1);
    REQUIRE(entity->child_count <= ENTITY_MAX_CHILDREN);
    require_table(&entity->root);
    for (size_t i = 0; i < entity->child_count; i++) {
        const struct child *child = &entity->children[i];

        require_table(&child->table);
        REQUIRE(child->set_count >= 1);
        REQUIRE(child->has_set_column || child->set_count == 1);
        sets += child->set_count;
    }
    REQUIRE(sets == entity->set_count);
    REQUIRE(pg_statements_init(&statements, entity) == 0);
    pg_statements_release(&statements);
}

static void require_maps(struct mapping *mapping)
{
    struct fuzz_mapping both = { mapping, mapper_new(mapping) };

    REQUIRE(both.mapper != NULL);
    for (size_t i = 0; i < sizeof(PAYLOADS) / sizeof(PAYLOADS[0]); i++) {
        struct fuzz_mapped mapped;

        fuzz_map(&both, PAYLOADS[i], strlen(PAYLOADS[i]), &mapped);
        if (mapped.outcome == MAP_ACCEPTED)
            require_change(mapping_entity(mapping), mapped.change);
        else
            require_refusal(&mapped.refusal);
        fuzz_mapped_release(&mapped);
    }
    mapper_free(both.mapper);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct error_list problems;
    struct fuzz_file file;
    struct mapping *mapping;
    struct error err;

    if (!ready)
        REQUIRE(civil_zone_set(RULES.time_zone, &err) == 0);
    ready = true;
    error_list_init(&problems);
    fuzz_file_open(&file, data, size);
    if (mapping_load(&mapping, file.path, &RULES, &problems) == 0) {
        REQUIRE(problems.count == 0);
        require_entity(mapping_entity(mapping));
        require_maps(mapping);
    } else {
        REQUIRE(mapping == NULL);
        require_problems(&problems);
    }
    mapping_free(mapping);
    error_list_release(&problems);
    fuzz_file_close(&file);
    return 0;
}
