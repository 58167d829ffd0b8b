/*
 * An entity file, a payload, and what it becomes. Entity files and payloads are written with '
 * instead of ", which is easier to read.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "mapping/mapper.h"

struct fixture {
    struct error_list problems;
    struct mapping *mapping;
    struct mapper *mapper;
    struct arena arena;
    struct change *change;
    struct refusal refusal;
    char body[65536]; /* the change points into it */
};

/* For cmocka's set-up and tear-down; the zone is Europe/Istanbul. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Loads an entity file of the source tree, or the text of one. It must have no problem. */
void fixture_load(struct fixture *fixture, const char *path);
void fixture_load_text(struct fixture *fixture, const char *text);

/* Loads a text that may have problems; the file is called "entity.cfg" in them. */
int fixture_try_text(struct fixture *fixture, const char *text);

/* Maps a payload, and sets change or refusal. */
enum map_outcome fixture_map(struct fixture *fixture, const char *payload);
enum map_outcome fixture_map_bytes(struct fixture *fixture, const char *bytes, size_t len);

/* Maps a payload that must be accepted, or refused. */
void fixture_accept(struct fixture *fixture, const char *payload);
void fixture_refuse(struct fixture *fixture, const char *payload, enum refusal_reason reason,
                    const char *path);

/* The value in a column of the root, and of a row of a set. */
const struct value *fixture_root(const struct fixture *fixture, const char *column);
const struct value *fixture_cell(const struct fixture *fixture, size_t set, size_t row,
                                 const char *column);

/* Whether the root's column is set by the message. */
bool fixture_sets(const struct fixture *fixture, const char *column);

void assert_text(const struct value *value, const char *text);
void assert_number(const struct value *value, int64_t number);
void assert_absent(const struct value *value);

/* Checks the root's leftovers, written as one object. */
void assert_leftovers(const struct fixture *fixture, const char *json);

/* Checks the names that the message speaks about, joined by spaces. */
void assert_names(const struct fixture *fixture, const char *names);

void assert_counts(const struct fixture *fixture, unsigned misfits, unsigned broken);

#endif
