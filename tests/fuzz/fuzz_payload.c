/*
 * A body and the rows it becomes, by the two entity files of the ERP and by one that uses every
 * feature. The outcome obeys the contract, is the same each time, and a refusal does not depend on
 * the letters of any value, so it cannot repeat one.
 */
#include "fuzz_mapping.h"

#include "base/json_read.h"

#include <ctype.h>
#include <stdlib.h>

static const char *const FILES[] = { "etc/entities/customer.cfg", "etc/entities/subscription.cfg",
                                     "tests/fuzz/every_feature.cfg" };

enum { MAPPING_COUNT = sizeof(FILES) / sizeof(FILES[0]) };

static struct fuzz_mapping mappings[MAPPING_COUNT];

static void require_same_change(const struct entity *entity, const struct change *a,
                                const struct change *b)
{
    REQUIRE(slice_equal(a->id, b->id));
    REQUIRE(memcmp(a->hash, b->hash, sizeof(a->hash)) == 0);
    REQUIRE(a->misfits == b->misfits && a->broken == b->broken &&
            a->replaces_extra == b->replaces_extra);
    REQUIRE(a->name_count == b->name_count && a->leftover_count == b->leftover_count);
    for (size_t i = 0; i < a->name_count; i++)
        REQUIRE(slice_equal(a->names[i], b->names[i]));
    for (size_t i = 0; i < a->leftover_count; i++)
        REQUIRE(slice_equal(a->leftovers[i].name, b->leftovers[i].name) &&
                slice_equal(a->leftovers[i].text, b->leftovers[i].text));
    REQUIRE(fuzz_same_row(&entity->root, a->root, b->root));
    REQUIRE(memcmp(a->root_set, b->root_set, entity->root.column_count * sizeof(*a->root_set)) ==
            0);
    for (size_t c = 0, s = 0; c < entity->child_count; c++) {
        for (size_t end = s + entity->children[c].set_count; s < end; s++) {
            REQUIRE(a->set_present[s] == b->set_present[s] && a->sets[s].count == b->sets[s].count);
            for (size_t i = 0; i < a->sets[s].count; i++)
                REQUIRE(fuzz_same_row(&entity->children[c].table, a->sets[s].rows[i],
                                      b->sets[s].rows[i]));
        }
    }
}

static void require_same_refusal(const struct refusal *a, const struct refusal *b)
{
    REQUIRE(a->reason == b->reason);
    REQUIRE(strcmp(a->path, b->path) == 0);
    REQUIRE(strcmp(a->detail, b->detail) == 0);
}

/* Another letter for each letter of each value, names and escapes left alone. False if the body is
   no JSON to find values in. */
static bool disguise(char *body, size_t size)
{
    size_t mark = size >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    struct json_fault fault;
    struct json_doc doc;
    bool is_json;

    json_doc_init(&doc);
    is_json =
        json_read(&doc, (struct slice){ body + mark, size - mark }, FUZZ_MAX_DEPTH, &fault) == 0;
    for (uint32_t i = 0; is_json && i < doc.count; i++) {
        char *text = body + mark + doc.nodes[i].start;

        for (uint32_t at = 0; doc.nodes[i].type == JSON_STRING && at < doc.nodes[i].len; at++) {
            if (text[at] == '\\')
                at += text[at + 1] == 'u' ? 5 : 1;
            else if (isalpha((unsigned char)text[at]))
                text[at] = text[at] == 'z' ? 'a' : text[at] == 'Z' ? 'A' : (char)(text[at] + 1);
        }
    }
    json_doc_release(&doc);
    return is_json;
}

static void require_no_values(const struct fuzz_mapping *mapping, const struct fuzz_mapped *refused)
{
    char *body = fuzz_copy(refused->body, refused->size);
    struct fuzz_mapped other;

    if (disguise(body, refused->size)) {
        fuzz_map(mapping, body, refused->size, &other);
        REQUIRE(other.outcome == MAP_REFUSED);
        require_same_refusal(&refused->refusal, &other.refusal);
        fuzz_mapped_release(&other);
    }
    free(body);
}

static void try_mapping(const struct fuzz_mapping *mapping, const uint8_t *data, size_t size)
{
    const struct entity *entity = mapping_entity(mapping->mapping);
    struct fuzz_mapped first;
    struct fuzz_mapped second;

    fuzz_map(mapping, data, size, &first);
    fuzz_map(mapping, data, size, &second);
    REQUIRE(first.outcome == second.outcome);
    if (first.outcome == MAP_ACCEPTED) {
        require_change(entity, first.change);
        require_same_change(entity, first.change, second.change);
    } else {
        require_refusal(&first.refusal);
        require_same_refusal(&first.refusal, &second.refusal);
        require_no_values(mapping, &first);
    }
    fuzz_mapped_release(&first);
    fuzz_mapped_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < MAPPING_COUNT; i++) {
        if (mappings[i].mapping == NULL)
            fuzz_mapping_load(&mappings[i], FILES[i]);
        try_mapping(&mappings[i], data, size);
    }
    return 0;
}
