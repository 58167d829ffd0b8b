/*
 * An entity's rows in memory: read from the database, changed by one message after another, and
 * compared with what was read. So a batch equals its messages one after another by construction,
 * and only the difference is written.
 *
 *     fold_start(&state, entity, id, arena)      // then filled with the rows of the database, if
 * it has any stored = state                              // a plain copy: rows are never changed in
 * place fold_apply(&state, change, arena)           // for each message in order of arrival
 *     fold_compare(&stored, &state, arena, &difference)
 *
 * All memory comes from the arena. Functions return -1 when it is exhausted.
 */
#ifndef KOPRU_MODEL_FOLD_H
#define KOPRU_MODEL_FOLD_H

#include "base/arena.h"
#include "model/change.h"

struct fold_state {
    const struct entity *entity;
    bool exists; /* there is a root row */
    struct value
        *root; /* per column of the root table; the key is filled, `extra` has its canonical text */
    struct json_pair *extra; /* the same `extra`, member by member; valid when extra_read */
    size_t extra_count;
    bool extra_read;
    bool has_hash;
    uint8_t hash[DIGEST_BYTES];
    bool has_time;
    int64_t source_time_pg_us;
    struct row_set *sets; /* per set of the entity, any order of rows */
};

enum fold_result {
    FOLD_APPLIED,    /* the state may have changed */
    FOLD_IDENTICAL,  /* the payload applied last; at most source_time moved */
    FOLD_STALE,      /* late and older than what is there: nothing changed */
    FOLD_UNREADABLE, /* the stored `extra` is no JSON object that kopru can read */
    FOLD_NO_MEMORY,
};

/* The state of an entity that is not in the database. */
int fold_start(struct fold_state *state, const struct entity *entity, struct slice id,
               struct arena *arena);

enum fold_result fold_apply(struct fold_state *state, const struct change *change,
                            struct arena *arena);

/* A child row to delete or to write, with the child table's number. */
struct child_row {
    size_t child;
    struct value *values;
};

struct fold_difference {
    bool root;    /* the root row must be written (also when only its hash or source_time moved) */
    bool touched; /* a column or a child differs: updated_at moves */
    struct child_row *deletes;
    size_t delete_count;
    struct child_row *writes;
    size_t write_count;
};

int fold_compare(const struct fold_state *stored, const struct fold_state *state,
                 struct arena *arena, struct fold_difference *difference);

#endif
