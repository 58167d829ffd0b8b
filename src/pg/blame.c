#include "pg/blame.h"

#include "pg/dead_letters.h"
#include "pg/session_settings.h"
#include "pg/store_find.h"
#include "pg/transaction.h"

/* The numbers of the bits; from FIRST_CHILD on there are two for each child table. New roots and
   stored ones have a bit each, because a trigger of the site may meet only one kind. */
enum { FIND, LOAD, INSERT_ROOT, UPDATE_ROOT, FIRST_CHILD };

static uint64_t bit(size_t number)
{
    return UINT64_C(1) << number;
}

static size_t remove_of(size_t child)
{
    return FIRST_CHILD + 2 * child;
}

static size_t write_of(size_t child)
{
    return FIRST_CHILD + 2 * child + 1;
}

uint64_t pg_blame_of_table(const struct entity *entity, size_t table)
{
    if (table == entity->child_count)
        return bit(FIND) | bit(LOAD) | bit(INSERT_ROOT) | bit(UPDATE_ROOT);
    return bit(remove_of(table)) | bit(write_of(table));
}

bool pg_blame_removes(uint64_t statements, size_t child)
{
    return (statements & bit(remove_of(child))) != 0;
}

_Static_assert(FIRST_CHILD + 2 * ENTITY_MAX_CHILDREN <= 64, "a bit for each statement");

uint64_t pg_blame_used(const struct write_set *set, bool copies)
{
    uint64_t used = set->count > 0 ? bit(FIND) : 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct write_set_entity *entity = &set->entities[i];
        const struct fold_difference *difference = &entity->difference;

        used |= entity->loaded ? bit(LOAD) : 0;
        if (difference->root)
            used |= bit(entity->before.exists ? UPDATE_ROOT : INSERT_ROOT);
        for (size_t r = 0; r < difference->delete_count; r++)
            used |= bit(remove_of(difference->deletes[r].child));
        for (size_t r = 0; r < difference->write_count && !(copies && !entity->before.exists); r++)
            used |= bit(write_of(difference->writes[r].child));
    }
    return used;
}

/* Names are compared as pointers: a failure names the statement that was sent. */
uint64_t pg_blame_failed(const struct write_set *set, const struct pg_statements *statements,
                         const struct pg_failure *failure)
{
    const char *name = failure->statement;

    if (name == PG_BEGIN.name || name == PG_SETTINGS.name || name == PG_CHECK_EPOCH.name ||
        name == PG_WRITE_DEAD_LETTERS.name || name == PG_COMMIT.name ||
        name == statements->foreign.name || name == statements->foreign_partitioned.name)
        return 0;
    if (name == statements->find.name)
        return bit(FIND);
    if (name == statements->load.name || name == statements->load_partitioned.name)
        return bit(LOAD);
    if (name == statements->insert.name)
        return bit(INSERT_ROOT);
    if (name == statements->write.name)
        return bit(UPDATE_ROOT);
    for (size_t c = 0; c < statements->entity->child_count; c++) {
        const struct pg_child_statements *child = &statements->children[c];

        if (name == child->load.name || name == child->load_partitioned.name)
            return bit(LOAD);
        if (name == child->remove.name)
            return bit(remove_of(c));
        if (name == child->write.name)
            return bit(write_of(c));
    }
    return pg_blame_used(set, false) & ~(bit(FIND) | bit(LOAD));
}
