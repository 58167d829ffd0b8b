/*
 * The rows of one entity in memory: read from the database, changed by one message after another,
 * and compared with what was read. So a batch has the same effect as its messages one by one, and
 * only the difference is written.
 *
 *     fold_start(&state, entity, id, arena)
 *     ...                                      // fill state with the rows of the database, if any
 *     stored = state;                          // a plain copy: rows are never changed in place
 *     fold_apply(&state, change, arena)        // for each message in order of arrival
 *     fold_end(&state, arena)
 *     fold_compare(&stored, &state, arena, &difference)
 *
 * All memory comes from the arena. Functions that return int return -1 when it is exhausted, and
 * else 0.
 */
#ifndef KOPRU_MODEL_FOLD_H
#define KOPRU_MODEL_FOLD_H

#include "base/arena.h"
#include "model/change.h"

struct fold_state {
    const struct entity *entity;
    bool exists; /* there is a root row */

    /* Per column of the root table. The key is filled, and `extra` has its canonical text; after
       fold_apply() only once fold_end() was called. */
    struct value *root;

    /* The members of `extra`, valid when extra_read. They are changed in place, so only the last
       copy of a state has them. */
    struct json_pair *extra;
    size_t extra_count;
    size_t extra_capacity;
    size_t extra_bytes;       /* of their text; 0 without members */
    size_t written_out_bytes; /* as in struct change: of all that was added */
    bool extra_read;
    bool extra_changed;
    size_t max_extra_bytes; /* what messages may make of `extra`; 0 for any size */
    bool has_hash;
    uint8_t hash[DIGEST_BYTES];
    bool has_time;
    int64_t source_time_pg_us;
    struct row_set *sets; /* per set of the entity; the rows are in any order */
};

enum fold_result {
    FOLD_APPLIED,    /* the state may have changed */
    FOLD_IDENTICAL,  /* it is the payload that was applied last, as after a redelivery; at most
                        source_time changed */
    FOLD_STALE,      /* it came late and is older than the stored state: nothing changed */
    FOLD_TOO_LARGE,  /* it would make `extra` larger than it is and than max_extra_bytes: nothing
                        changed */
    FOLD_UNREADABLE, /* the stored `extra` is not a JSON object that kopru can read */
    FOLD_NO_MEMORY,
};

/* Sets state to that of an entity which is not in the database. */
int fold_start(struct fold_state *state, const struct entity *entity, struct slice id,
               struct arena *arena);

enum fold_result fold_apply(struct fold_state *state, const struct change *change,
                            struct arena *arena);

/* Completes the state after the last message. */
int fold_end(struct fold_state *state, struct arena *arena);

/* A child row to delete or to write, and the number of its child table. */
struct child_row {
    size_t child;
    struct value *values;
};

struct fold_difference {
    bool root;    /* the root row must be written, if only for its hash or source_time */
    bool touched; /* a column or a child row differs, so updated_at is set, too */
    struct child_row *deletes;
    size_t delete_count;
    struct child_row *writes;
    size_t write_count;
};

int fold_compare(const struct fold_state *stored, const struct fold_state *state,
                 struct arena *arena, struct fold_difference *difference);

#endif
