/*
 * Which paths of the entity file the messages so far had. A path that no message has is an optional
 * property, or it is misspelt in the entity file or by the publisher: nobody notices by the rows,
 * since null is a value like others.
 *
 * What counts is that something stands at the path, null included. Of a column's alternatives one
 * is enough. A property may be rare, so paths are judged after COVERAGE_JUDGED_AFTER messages, and
 * those below an array after as many elements.
 */
#ifndef KOPRU_MAPPING_COVERAGE_H
#define KOPRU_MAPPING_COVERAGE_H

#include "mapping/object.h"

enum { COVERAGE_JUDGED_AFTER = 100 };

struct coverage {
    const struct mapping *mapping;
    uint64_t messages;
    bool *root;         /* per slot of the root: a message had something there */
    bool **children;    /* per child: the same for the slots of an element */
    uint64_t *elements; /* per child: how many there were */
};

/* The mapping must outlive it. Returns false when there is no memory; release in both cases. */
bool coverage_init(struct coverage *coverage, const struct mapping *mapping);
void coverage_release(struct coverage *coverage);

/* Notes what was found in the root, or in an element of a child, and in reading->mapped and
   reading->judged_anew what that means. */
void coverage_note_root(struct coverage *coverage, struct reading *reading,
                        const struct object_view *view);
void coverage_note_element(struct coverage *coverage, struct reading *reading, uint32_t child,
                           const struct object_view *view);

/* Writes the judged paths that no message had, as many as fit: "status, contactMedium[].city, and 3
   more". Returns their number. */
size_t coverage_unmatched(const struct coverage *coverage, char *text, size_t size);

#endif
