/*
 * What one accepted message says about its entity: absent keeps, null clears, present replaces. All
 * memory belongs to the message's arena.
 */
#ifndef KOPRU_MODEL_CHANGE_H
#define KOPRU_MODEL_CHANGE_H

#include "base/buffer.h"
#include "base/digest.h"
#include "model/entity.h"

/* A member of a JSON object: decoded name, value as jsonb prints it. */
struct json_pair {
    struct slice name;
    struct slice text;
};

/* The rows of one set; each row has one value per column of its table, the root's key included. */
struct row_set {
    struct value **rows;
    size_t count;
};

struct change {
    struct slice id;
    uint8_t hash[DIGEST_BYTES]; /* over body, mapping and time zone */
    bool has_time;              /* a usable AMQP timestamp, in source_time_pg_us */
    bool may_be_late;           /* compare source_time_pg_us with the stored one before applying */
    int64_t source_time_pg_us;

    struct slice
        *names; /* the message's top-level names: what it speaks about, sorted by slice_compare */
    size_t name_count;
    bool replaces_extra; /* absent = "clear" for the whole entity: nothing of the stored `extra`
                            survives */

    bool *root_set;     /* per column of the root table: fed by a name in `names`; key and extra are
                           false */
    struct value *root; /* per column of the root table; the key is filled, extra is not */
    struct json_pair
        *leftovers; /* what no column of the root holds, sorted by jsonb's order of names */
    size_t leftover_count;

    bool *set_present;    /* per set of the entity: this message replaces it */
    struct row_set *sets; /* per set of the entity, in payload order */

    unsigned misfits; /* values that did not fit their column */
    unsigned broken;  /* array elements that became no row */
};

/* The order in which jsonb keeps names: shorter first, then by bytes. */
int json_name_compare(struct slice a, struct slice b);

/* The same of two pairs, for qsort(). */
int json_pair_compare(const void *a, const void *b);

/* Appends pairs that are sorted by name as jsonb prints an object. */
void json_pairs_write(const struct json_pair *pairs, size_t count, struct buffer *out);

/* Whether the message speaks about that top-level name. */
bool change_names(const struct change *change, struct slice name);

#endif
