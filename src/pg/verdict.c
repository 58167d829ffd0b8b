#include "pg/verdict.h"

#include "base/text.h"
#include "pg/dead_letters.h"

#include <string.h>

/*
 * An error that a trigger of the site raises may be about the row or about what the trigger needs:
 * a partition, a sequence, another table. A row that is wrongly taken for good waits, and is
 * written once somebody has mended the cause; a good row that becomes a dead letter is missing
 * until somebody looks. So a verdict needs something that speaks for it, and silence speaks for an
 * outage.
 */
static const struct verdict_row TABLE[] = {
    { "23502", SIGN_FILLED_COLUMN, VERDICT_FINAL, "the message left out what the column demands" },
    { "23502", SIGN_ANY, VERDICT_PAUSE,
      "no message can fill that column: it needs a default, or the entity file has to fill it" },
    { "23514", SIGN_OWN_CONSTRAINT, VERDICT_FINAL, "a CHECK of the table refuses the row" },
    { "23514", SIGN_TABLE_ALONE, VERDICT_PAUSE,
      "no CHECK is named: a partition is missing, and has to be created" },
    { "23505", SIGN_OWN_CONSTRAINT, VERDICT_FINAL, "another row has the unique value" },
    { "23P01", SIGN_OWN_CONSTRAINT, VERDICT_FINAL, "another row excludes this one" },
    { "23", SIGN_FOREIGN_TABLE, VERDICT_PROOF,
      "a trigger of the site writes to another table: its sequence or its rules may be at fault" },
    { "23", SIGN_ANY, VERDICT_NEIGHBOURS, "a domain, or a trigger of the site that says so" },
    { "22001", SIGN_ANY, VERDICT_NEIGHBOURS,
      "kopru's columns are of no fixed length: somebody may have made one too narrow" },
    { "22", SIGN_PARAMETER, VERDICT_FINAL,
      "the type cannot hold the value, such as a number in extra beyond numeric" },
    { "22", SIGN_ANY, VERDICT_NEIGHBOURS,
      "a trigger, a default or a generated column of the site may fail for every row" },
    { "44", SIGN_ANY, VERDICT_NEIGHBOURS, "a view's check option may refuse every row" },
    { "P0", SIGN_ANY, VERDICT_NEIGHBOURS, "a trigger of the site may refuse every row" },
    { "54000", SIGN_OWN_INDEX, VERDICT_FINAL, "the value is too long for the index" },
    { "54", SIGN_ANY, VERDICT_PROOF,
      "a limit of the server: an index key that is too long, or a server that takes no commands" },
};

static const char SESSION_ENDED[] =
    "if an entity fails alone with this again and again, a trigger ends the session, or the row "
    "crashes the server: look into the server's log";

static const char NO_ROW[] =
    "the statement carries no row of a message, so no message is at fault; the server may take no "
    "commands, so look into its log";

static const struct table *table_named(const struct entity *entity, const char *name)
{
    if (strcmp(name, entity->root.name) == 0)
        return &entity->root;
    for (size_t c = 0; c < entity->child_count; c++) {
        if (strcmp(name, entity->children[c].table.name) == 0)
            return &entity->children[c].table;
    }
    return NULL;
}

const struct table *verdict_own_table(const struct pg_failure *failure, const struct entity *entity)
{
    if (failure->partition_of[0] != '\0')
        return table_named(entity, failure->partition_of);
    if (strcmp(failure->schema, ENTITY_SCHEMA) != 0)
        return NULL;
    return table_named(entity, failure->table);
}

static bool fills(const struct table *table, const char *column)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, column) == 0)
            return true;
    }
    return false;
}

bool verdict_fills(const struct pg_failure *failure, const struct entity *entity,
                   const char *column)
{
    const struct table *own = verdict_own_table(failure, entity);

    return own != NULL && fills(own, column);
}

static bool shows(const struct pg_failure *failure, const struct entity *entity,
                  enum verdict_sign sign)
{
    const struct table *own = verdict_own_table(failure, entity);
    bool names_constraint = failure->constraint[0] != '\0';

    switch (sign) {
    case SIGN_OWN_CONSTRAINT:
        return own != NULL && names_constraint;
    case SIGN_FILLED_COLUMN:
        return verdict_fills(failure, entity, failure->column);
    case SIGN_OWN_INDEX:
        return own != NULL && names_constraint && !failure->in_function;
    case SIGN_PARAMETER:
        return failure->in_parameter;
    case SIGN_TABLE_ALONE:
        return failure->table[0] != '\0' && !names_constraint;
    case SIGN_FOREIGN_TABLE:
        return failure->table[0] != '\0' && own == NULL;
    case SIGN_ANY:
        break;
    }
    return true;
}

const struct verdict_row *verdict_find(const struct pg_failure *failure,
                                       const struct entity *entity)
{
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        const struct verdict_row *row = &TABLE[i];

        if (strncmp(failure->sqlstate, row->state, strlen(row->state)) == 0 &&
            shows(failure, entity, row->sign))
            return row;
    }
    return NULL;
}

/* What is on the allow-list is no refusal after all. */
static void set_class(struct pg_failure *failure, enum sqlstate_class class, const char *hint)
{
    failure->class = class;
    failure->error.kind = class == SQLSTATE_PAUSE ? ERROR_PROBLEMS : ERROR_UNAVAILABLE;
    error_hint(&failure->error, "%s", hint);
}

static void judge_rows(struct pg_failure *failure, const struct entity *entity)
{
    const struct verdict_row *row = verdict_find(failure, entity);
    enum verdict verdict = row != NULL ? row->verdict : VERDICT_PROOF;

    switch (verdict) {
    case VERDICT_FINAL:
        break;
    case VERDICT_NEIGHBOURS:
        failure->unproven = true;
        break;
    case VERDICT_PROOF:
        failure->unclassified = true;
        set_class(failure, SQLSTATE_RETRY,
                  row != NULL ? row->why : "it is not known whose fault this is");
        break;
    case VERDICT_PAUSE:
        set_class(failure, SQLSTATE_PAUSE, row->why);
        break;
    }
}

/* The server or the network has ended the session, and not kopru. */
static bool was_ended(const struct pg_failure *failure)
{
    return failure->connection_lost && !failure->session_lives && !failure->timed_out &&
           !failure->over_limit;
}

void verdict_reach(struct pg_failure *failure, const struct entity *entity, bool carries_rows)
{
    bool refused = carries_rows && failure->session_lives;
    bool ended = carries_rows && was_ended(failure);

    failure->suspect = refused || ended;
    failure->unclassified = refused && sqlstate_is_unclassified(failure->sqlstate);
    if (ended)
        text_append(failure->error.hint, sizeof(failure->error.hint), "%s%s",
                    failure->error.hint[0] != '\0' ? "; " : "", SESSION_ENDED);
    if (failure->class != SQLSTATE_REFUSE)
        return;
    if (refused)
        judge_rows(failure, entity);
    else
        set_class(failure, SQLSTATE_PAUSE, NO_ROW);
    if (failure->statement == PG_WRITE_DEAD_LETTERS.name)
        pg_dead_letters_hint(failure);
}
