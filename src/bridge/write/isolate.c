#include "bridge/write/isolate.h"

#include "base/log.h"
#include "bridge/timing.h"
#include "bridge/write/breaker_gate.h"
#include "bridge/write/commit.h"
#include "bridge/write/trial.h"

#include <stdlib.h>

/*
 * Halving finds one bad entity among n in about 2*log2(n) transactions, and the halves commit in
 * the order of the batch. It works on entities and not on messages: the messages of one entity are
 * folded into one state, so they can only be told apart by applying them one by one, which
 * resolve_entity() does when nothing else is left. What is refused waits for the next transaction
 * instead of getting one of its own, so that a dead letter commits together with its neighbours.
 */

/* How often a whole batch is tried after an error that may be about a message, before it is
   divided: it may be an outage. Once, where nothing has been committed since two entities failed
   alone. */
enum { BATCH_TRIES = 3 };

/* How many other entities are tried, before two that failed alone are taken for an outage. */
enum { SAMPLES = 4 };

/* How many entities may be left in a row while nothing commits, before a stored row is asked about
   the next one. */
enum { LEFT_MAX = 4 };

enum group_state {
    GROUP_OPEN,
    GROUP_LEFT,    /* failed alone: the other groups come first */
    GROUP_DECIDED, /* committed, quarantined, or refused and not committed yet */
};

/* The messages of one entity: a range of isolation.messages. */
struct group {
    size_t first;
    size_t count;
    enum group_state state;
    bool was_left;       /* at least once: others may show whose fault its failure was */
    bool may_be_race;    /* it was left for a unique violation */
    uint64_t left_after; /* the number of the last commit before it was left first */
    uint64_t statements; /* those in which it failed then */
};

/* A message that was refused and is not committed yet: it goes with the next transaction. */
struct dead {
    struct message *message;
    struct group *group; /* of which nothing is committed; NULL where kopru refused the message */
};

struct isolation {
    struct write_session *session;
    struct message **messages;
    struct group *groups;
    size_t group_count;
    struct group **round; /* the open groups of this round */
    struct dead *dead;
    size_t dead_count;
    struct message **scratch; /* what one transaction is asked to write */
    struct message **kept;    /* of one entity */
    struct write_report report;
    size_t left_in_a_row; /* groups that were left since the last commit */
    uint64_t left_after;  /* the number of that commit */
    bool dead_alone; /* a verdict was void once: from then on each dead letter is written at once,
                        and not with neighbours, one of which may be what ends every session */
    enum commit_result end; /* why the round ended early */
};

/* Fills the groups with the accepted messages and `dead` with the refused. */
static void split(struct isolation *isolation, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct message *message = isolation->messages[i];
        struct group *last =
            isolation->group_count > 0 ? &isolation->groups[isolation->group_count - 1] : NULL;

        if (message->refused)
            isolation->dead[isolation->dead_count++] = (struct dead){ message, NULL };
        else if (last != NULL &&
                 slice_equal(isolation->messages[last->first]->change->id, message->change->id))
            last->count++;
        else
            isolation->groups[isolation->group_count++] = (struct group){ .first = i, .count = 1 };
    }
}

/* Writes scratch, whose first messages are the waiting dead letters. */
static enum commit_result write_scratch(struct isolation *isolation, size_t count, unsigned tries)
{
    const struct write_request request = { .messages = isolation->scratch, .count = count };
    enum commit_result result = COMMIT_DONE;

    if (count > 0)
        result = commit_until_decided(isolation->session, &request, tries, &isolation->report);
    if (result == COMMIT_DONE)
        isolation->dead_count = 0;
    return result;
}

static size_t put_dead(struct isolation *isolation)
{
    for (size_t i = 0; i < isolation->dead_count; i++)
        isolation->scratch[i] = isolation->dead[i].message;
    return isolation->dead_count;
}

static enum commit_result write_groups(struct isolation *isolation, struct group *const *groups,
                                       size_t count, unsigned tries)
{
    size_t n = put_dead(isolation);

    for (size_t i = 0; i < count; i++) {
        for (size_t m = 0; m < groups[i]->count; m++)
            isolation->scratch[n++] = isolation->messages[groups[i]->first + m];
    }
    return write_scratch(isolation, n, tries);
}

static enum commit_result write_kept(struct isolation *isolation, size_t count)
{
    size_t n = put_dead(isolation);

    for (size_t i = 0; i < count; i++)
        isolation->scratch[n++] = isolation->kept[i];
    return write_scratch(isolation, n, 1);
}

static enum commit_result probe_kept(struct isolation *isolation, size_t count)
{
    const struct write_request request = { .messages = isolation->kept,
                                           .count = count,
                                           .probe = true };

    return commit_until_decided(isolation->session, &request, 1, &isolation->report);
}

static void refuse(struct isolation *isolation, struct message *message, struct group *group)
{
    breaker_gate_refuse(isolation->session, message, &isolation->report);
    isolation->dead[isolation->dead_count++] = (struct dead){ message, group };
}

/* Whether a group that was refused alone is at fault: the refusal names its row, or the group was
   left before, and since then others were committed through the same statements, or a witness was
   taken. An earlier commit proves nothing, because an outage may begin in the middle of a batch. */
static bool is_at_fault(const struct isolation *isolation, const struct group *group)
{
    return !isolation->report.unproven ||
           (group->was_left &&
            quarantine_is_proven_since(&isolation->session->quarantine,
                                       isolation->report.statements, group->left_after));
}

/* The combined rows of one entity were refused: apply its messages one by one, in order, and keep
   those that the database takes. Each is tried on top of the ones before it; their combined effect
   is committed at once, so that nobody sees a state in between. */
static enum commit_result resolve_entity(struct isolation *isolation, struct group *group)
{
    struct message **messages = isolation->messages + group->first;
    size_t kept = 0;

    if (group->count == 1) {
        refuse(isolation, messages[0], group);
        return COMMIT_DONE;
    }
    for (size_t i = 0; i < group->count; i++) {
        enum commit_result result;

        isolation->kept[kept] = messages[i];
        result = probe_kept(isolation, kept + 1);
        if (result == COMMIT_REFUSED && !is_at_fault(isolation, group))
            return COMMIT_SUSPECT;
        if (result == COMMIT_REFUSED)
            refuse(isolation, messages[i], group);
        else if (result == COMMIT_DONE)
            kept++;
        else
            return result;
    }
    return kept > 0 ? write_kept(isolation, kept) : COMMIT_DONE;
}

/* Takes back what was refused of a group (NULL: of all groups), so that it is judged again. */
static void forgive(struct isolation *isolation, const struct group *group)
{
    size_t left = 0;

    for (size_t i = 0; i < isolation->dead_count; i++) {
        struct dead *dead = &isolation->dead[i];

        if (dead->group == NULL || (group != NULL && dead->group != group)) {
            isolation->dead[left++] = *dead;
            continue;
        }
        breaker_gate_take_back(dead->message);
        dead->group->state = GROUP_OPEN;
    }
    isolation->dead_count = left;
}

static bool put_into_quarantine(struct isolation *isolation, struct group *group)
{
    struct message **messages = isolation->messages + group->first;

    if (!trial_quarantine(isolation->session, messages, group->count, &isolation->report))
        return false;
    group->state = GROUP_DECIDED;
    return true;
}

/* Leaves the group until the others were tried. */
static void mark_left(const struct isolation *isolation, struct group *group)
{
    if (!group->was_left) {
        group->left_after = isolation->session->quarantine.commits;
        group->statements = isolation->report.statements;
    }
    group->was_left = true;
    group->state = GROUP_LEFT;
}

/* An entity failed alone. Returns false when the round ends. */
static bool fails_alone(struct isolation *isolation, struct group *group)
{
    struct quarantine *quarantine = &isolation->session->quarantine;
    struct slice id = isolation->messages[group->first]->change->id;
    /* What takes too long says nothing about a statement. */
    uint64_t statements = isolation->report.too_much ? 0 : isolation->report.statements;

    forgive(isolation, group);
    counters_barred(&isolation->session->marks, true);
    counters_pause(&session_queue(isolation->session)->counters, &isolation->report);
    if (quarantine_fails_alone(quarantine, id, statements) == 0 &&
        put_into_quarantine(isolation, group))
        return true;
    mark_left(isolation, group);
    isolation->end = COMMIT_SUSPECT;
    return false;
}

/* Leaves an entity that was refused alone, once, where what others meet may change the verdict. It
   may have met a race at a unique index, where the message that frees the value may be with another
   writer, or behind this one. Or the refusal is one that a whole table can raise. Returns whether
   the entity is left. */
static bool leave(struct isolation *isolation, struct group *group)
{
    uint64_t commits = isolation->session->quarantine.commits;
    bool may_be_race = strcmp(isolation->report.sqlstate, "23505") == 0;

    if (group->was_left || (!may_be_race && !isolation->report.unproven))
        return false;
    if (isolation->left_after != commits)
        isolation->left_in_a_row = 0;
    isolation->left_after = commits;
    if (!may_be_race && isolation->left_in_a_row >= LEFT_MAX &&
        session_ask_witness(isolation->session, isolation->report.statements) != WITNESS_TAKEN)
        return false;
    isolation->left_in_a_row++;
    group->may_be_race = may_be_race;
    mark_left(isolation, group);
    return true;
}

/* Recursion is as deep as log2 of the batch. Returns false when the round ends early. */
static bool isolate(struct isolation *isolation, struct group **groups, size_t count,
                    unsigned tries)
{
    size_t half = count / 2;
    enum commit_result result = write_groups(isolation, groups, count, tries);

    if (result == COMMIT_REFUSED && count == 1 && leave(isolation, groups[0]))
        return true;
    if (result == COMMIT_REFUSED && count == 1)
        result = is_at_fault(isolation, groups[0]) ? resolve_entity(isolation, groups[0])
                                                   : COMMIT_SUSPECT;
    if (result == COMMIT_DONE && isolation->dead_alone)
        result = write_scratch(isolation, put_dead(isolation), 0);
    for (size_t i = 0; result == COMMIT_DONE && i < count; i++)
        groups[i]->state = GROUP_DECIDED;
    if (result == COMMIT_DONE)
        return true;
    if (result == COMMIT_ABANDONED || result == COMMIT_JUDGE_AGAIN) {
        isolation->end = result;
        return false;
    }
    if (count == 1)
        return fails_alone(isolation, groups[0]);
    log_event(LOG_DEBUG, "isolating", "the database did not take a batch, so it is halved",
              LOG_TEXT("queue", session_queue(isolation->session)->name),
              LOG_TEXT("sqlstate", isolation->report.sqlstate), LOG_NUMBER("entities", count));
    return isolate(isolation, groups, half, 1) &&
           isolate(isolation, groups + half, count - half, 1);
}

static bool waits_for_race(const struct isolation *isolation)
{
    for (size_t i = 0; i < isolation->group_count; i++) {
        if (isolation->groups[i].state == GROUP_LEFT && isolation->groups[i].may_be_race)
            return true;
    }
    return false;
}

static size_t count_in(const struct isolation *isolation, enum group_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < isolation->group_count; i++)
        count += isolation->groups[i].state == state;
    return count;
}

/* Groups that failed while nothing committed are quarantined once no other group is left to try.
   Those for which there is no room are tried again. */
static void end_outage(struct isolation *isolation)
{
    bool quarantine_all = count_in(isolation, GROUP_OPEN) == 0;

    for (size_t i = 0; quarantine_all && i < isolation->group_count; i++) {
        if (isolation->groups[i].state == GROUP_LEFT &&
            !put_into_quarantine(isolation, &isolation->groups[i]))
            isolation->groups[i].state = GROUP_OPEN;
    }
}

/* Writes the open groups or, when there are none, those that were left. */
static enum commit_result run_round(struct isolation *isolation)
{
    enum group_state state = count_in(isolation, GROUP_OPEN) > 0 ? GROUP_OPEN : GROUP_LEFT;
    size_t count = 0;

    for (size_t i = 0; i < isolation->group_count; i++) {
        if (isolation->groups[i].state != state)
            continue;
        isolation->groups[i].state = GROUP_OPEN;
        isolation->round[count++] = &isolation->groups[i];
    }
    isolation->end = COMMIT_DONE;
    if (count > 0)
        isolate(isolation, isolation->round, count,
                isolation->session->quarantine.failed_in_a_row <= 1 ? BATCH_TRIES : 1);
    return isolation->end;
}

/* Entities failed alone, and nothing was committed meanwhile. Tries a few others from all over the
   batch: one that commits shows that it is no outage. */
static enum commit_result try_samples(struct isolation *isolation)
{
    size_t step = count_in(isolation, GROUP_OPEN) / (SAMPLES + 1) + 1;
    size_t seen = 0;

    for (size_t i = 0; i < isolation->group_count; i++) {
        struct group *group = &isolation->groups[i];
        enum commit_result result;

        if (group->state != GROUP_OPEN || ++seen % step != 0)
            continue;
        result = write_groups(isolation, &group, 1, 1);
        if (result == COMMIT_DONE)
            group->state = GROUP_DECIDED;
        if (result != COMMIT_REFUSED && result != COMMIT_SUSPECT)
            return result;
    }
    return COMMIT_SUSPECT;
}

/* Nothing gets through: says so, and waits. No verdict outlives the wait. Returns false when the
   subscription is gone. */
static bool pause_round(struct isolation *isolation)
{
    struct write_session *session = isolation->session;
    int wait_ms = session_next_wait_ms(session, false);

    forgive(isolation, NULL);
    commit_log_failure(session, true, &isolation->report, wait_ms);
    return session_wait(session, wait_ms) && trial_run_due(session);
}

/* The groups that were left are tried once more, and to refuse one then takes proof that others get
   through. Where nothing has proven it since, a stored row is asked. If that is refused, it is an
   outage, and there is no need to ask about the other groups. */
static void seek_proof(const struct isolation *isolation)
{
    struct write_session *session = isolation->session;

    for (size_t i = 0; i < isolation->group_count; i++) {
        const struct group *group = &isolation->groups[i];

        if (group->state == GROUP_LEFT && !group->may_be_race &&
            !quarantine_is_proven_since(&session->quarantine, group->statements,
                                        group->left_after) &&
            session_ask_witness(session, group->statements) == WITNESS_REFUSED)
            return;
    }
}

/* The round committed what it could: writes the dead letters that had no neighbour to commit with,
   since no verdict waits, seeks proof about the groups that were left, and gives a race at a unique
   index a moment. */
static enum commit_result end_round(struct isolation *isolation, struct backoff *race)
{
    enum commit_result end = write_scratch(isolation, put_dead(isolation), 0);

    if (end == COMMIT_DONE)
        seek_proof(isolation);
    if (end == COMMIT_DONE && waits_for_race(isolation) &&
        !session_wait(isolation->session, backoff_next_ms(race)))
        end = COMMIT_ABANDONED;
    return end;
}

/* Runs rounds until every group is decided and committed. */
static bool run(struct isolation *isolation)
{
    struct backoff race;
    enum commit_result end;

    backoff_init(&race, RETRY_POLICY);
    do {
        end = run_round(isolation);
        if (end == COMMIT_DONE)
            end = end_round(isolation, &race);
        else if (end == COMMIT_SUSPECT)
            end = try_samples(isolation);
        if (end == COMMIT_JUDGE_AGAIN) {
            forgive(isolation, NULL);
            isolation->dead_alone = true;
        }
        if (end == COMMIT_SUSPECT && !pause_round(isolation))
            return false;
        if (end == COMMIT_SUSPECT)
            end_outage(isolation);
    } while (
        end != COMMIT_ABANDONED &&
        (isolation->dead_count > 0 || count_in(isolation, GROUP_DECIDED) < isolation->group_count));
    return end != COMMIT_ABANDONED;
}

bool isolate_write(struct write_session *session, struct message **messages, size_t count)
{
    struct isolation isolation = { .session = session, .messages = messages };
    bool done = false;

    isolation.groups = calloc(count, sizeof(*isolation.groups));
    isolation.round = calloc(count, sizeof(struct group *));
    isolation.dead = calloc(count, sizeof(*isolation.dead));
    isolation.scratch = calloc(count, sizeof(struct message *));
    isolation.kept = calloc(count, sizeof(struct message *));
    if (isolation.groups != NULL && isolation.round != NULL && isolation.dead != NULL &&
        isolation.scratch != NULL && isolation.kept != NULL) {
        split(&isolation, count);
        done = run(&isolation);
    }
    free(isolation.groups);
    free(isolation.round);
    free(isolation.dead);
    free(isolation.scratch);
    free(isolation.kept);
    return done;
}
