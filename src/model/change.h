/*
 * What one accepted message says about its entity. What the message leaves out keeps its value,
 * null clears it, and a present value replaces it. All of it is in the message's arena or its body.
 */
#ifndef KOPRU_MODEL_CHANGE_H
#define KOPRU_MODEL_CHANGE_H

#include "base/buffer.h"
#include "base/digest.h"
#include "model/entity.h"

/* A member of a JSON object: its decoded name, and its value as jsonb prints it. */
struct json_pair {
    struct slice name;
    struct slice text;
};

/* The rows of one set. Each row has one value per column of its table, including the root's key. */
struct row_set {
    struct value **rows;
    size_t count;
};

struct change {
    struct slice id;
    uint8_t hash[DIGEST_BYTES]; /* over body, mapping and time zone */
    bool has_time;              /* the message has an AMQP timestamp that is usable */
    /* The message came out of order, or the queue's order is by timestamp: if its source time is
       older than the stored one it changes nothing. */
    bool may_be_late;
    int64_t source_time_pg_us; /* the timestamp */

    /* The top-level names that the message speaks about, sorted by slice_compare(). */
    struct slice *names;
    size_t name_count;
    bool replaces_extra; /* absent = "clear" for the whole entity: drop the stored `extra` */

    /* Per column of the root table. root_set: a name in `names` feeds the column; false for the key
       and `extra`. root: the values; the key is filled and `extra` is not. */
    bool *root_set;
    struct value *root;

    /* What no column of the root holds, sorted in jsonb's order of names. */
    struct json_pair *leftovers;
    size_t leftover_count;
    size_t written_out_bytes; /* how much longer than here they may be once PostgreSQL has written
                                 out their exponents */

    bool *set_present;    /* per set of the entity: this message replaces it */
    struct row_set *sets; /* per set of the entity, in payload order */

    unsigned misfits; /* values that did not fit their column */
    unsigned broken;  /* array elements that did not become a row */

    /* Whether the entity file fits the message; nothing of the rows depends on it. */
    bool unmapped;           /* it has more than its id, and nothing of that is in the file */
    bool judged_anew;        /* the unmatched paths (struct mapper_port) may be others since it */
    struct slice other_case; /* a name of the file that it has in another letter case alone; data
                                is NULL for none */
};

/* Compares names in the order in which jsonb keeps them: by length, then by bytes. */
int json_name_compare(struct slice a, struct slice b);

/* The same for two pairs, for qsort(). */
int json_pair_compare(const void *a, const void *b);

/* Appends pairs as jsonb prints an object. They must be sorted in its order. */
void json_pairs_write(const struct json_pair *pairs, size_t count, struct buffer *out);

/* Whether the message speaks about that top-level name. */
bool change_names(const struct change *change, struct slice name);

#endif
