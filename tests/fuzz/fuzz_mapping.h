/* An entity file with its mapper, and what must hold for everything that comes out of it. */
#ifndef KOPRU_TESTS_FUZZ_MAPPING_H
#define KOPRU_TESTS_FUZZ_MAPPING_H

#include "fuzz.h"
#include "mapping/mapper.h"

enum { FUZZ_MAX_MESSAGE_BYTES = 65536, FUZZ_MAX_DEPTH = 64 };

struct fuzz_mapping {
    struct mapping *mapping;
    struct mapper *mapper;
};

/* One body and what it became. Everything lives in the arena and in the body. */
struct fuzz_mapped {
    char *body;
    size_t size;
    struct arena arena;
    enum map_outcome outcome;
    struct change *change;
    struct refusal refusal;
};

/* Loads an entity file, which must have no problem. The zone is Europe/Istanbul. */
void fuzz_mapping_load(struct fuzz_mapping *mapping, const char *path);

/* Maps a copy of the body, within the memory that mapper_arena_limit() allows it: more is too
   large. */
void fuzz_map(const struct fuzz_mapping *mapping, const void *body, size_t size,
              struct fuzz_mapped *mapped);
void fuzz_mapped_release(struct fuzz_mapped *mapped);

/* What the contract says about any accepted message, and about any refused one. */
void require_change(const struct entity *entity, const struct change *change);
void require_refusal(const struct refusal *refusal);

/* Two rows of a table hold the same. */
bool fuzz_same_row(const struct table *table, const struct value *a, const struct value *b);

#endif
