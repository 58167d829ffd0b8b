/*
 * Scripted ends for the bridge: a broker that delivers what the script says and remembers
 * acknowledgements, a mapper, a store that follows orders, and a lease that can always be acquired.
 *
 * A body is the id (one character), perhaps a number, and perhaps a mark that says what becomes of
 * it:
 *
 *     "a", "a2"   the store takes it
 *     "?"         the mapper refuses it
 *     "a!"        the store refuses it until it is mended; "a!!" for ever
 *     "a="        the store refuses it by a unique index while nothing is committed
 *     "a*"        the store fails with an error that has no rule; "a%" in a statement of its own
 *     "a#"        the store finds it too much
 *     "a$"        the store lacks a privilege for it
 *     "a+"        the store loses its connection when it writes it
 *     "a&"        the store refuses it as a trigger does that may refuse every row; "a-" in a
 *                 statement of its own
 *
 * All of it is guarded by one lock; fakes_wait() waits for a condition with a deadline.
 */
#ifndef KOPRU_TESTS_BRIDGE_FAKES_H
#define KOPRU_TESTS_BRIDGE_FAKES_H

#include "bridge/bridge.h"

enum { FAKE_MAX = 256 };

struct fake_delivery {
    const char *body;
    bool redelivered;
};

struct fakes {
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* the broker */
    struct fake_delivery script[FAKE_MAX];
    size_t script_count;
    size_t delivered;  /* of the script, over all connections */
    uint64_t next_tag; /* of the present connection */
    int idle_waits;    /* for a delivery, when all of the script was delivered */
    int pauses;        /* waits that take nothing */
    int connections;   /* opened so far */
    int open;          /* right now */
    bool cut;          /* the next wait fails */
    bool cancelled;
    bool stuck; /* an acknowledgement does not return, until it is interrupted */
    int interruptions;
    unsigned held_back; /* messages that are ready and not delivered */
    int questions;
    unsigned other_consumers;
    int inspections;
    int subscriptions;
    int prefetch;            /* as last asked for */
    uint64_t acks[FAKE_MAX]; /* as connection * 1000 + tag */
    size_t ack_count;
    size_t single_acks; /* of these, such as were of one delivery alone */

    /* the store */
    char transactions[FAKE_MAX][128]; /* "a b dead:c", in order; "probe a" */
    size_t transaction_count;
    enum write_outcome
        outcomes[FAKE_MAX]; /* of the first attempts; beyond them it decides by the bodies */
    size_t outcome_count;
    size_t attempts;
    bool blocked;     /* writes wait */
    bool mended;      /* every body but "id!!" is taken */
    bool disturbed;   /* none is, with an error that nobody knows */
    char disturbance; /* none is, as if its mark were this one; 0: no */
    bool witness;     /* an entity is stored, and is taken unless writes are disturbed */
    bool crashes;     /* a body that loses the connection costs the next attempt, too */
    bool recovers;    /* this is that attempt */
    int waiting;      /* writes that wait */
    int witnesses_asked;
    size_t mended_after;   /* attempts, from which on all is mended; 0: a test says so */
    size_t grown_until;    /* attempts: up to then a probe finds its message too large by now */
    size_t disturbed_from; /* the number of transactions that commit before that */
    size_t capacity;       /* messages; more in one transaction are too much. 0: any number */

    /* the lease */
    int64_t epoch;
    bool expired_holder;   /* on another machine, silent: its row does not change */
    bool fresh_holder;     /* on another machine, alive: it writes its row before each look */
    bool other_entity;     /* the row says that the queue carries another one; the first look at the
                              tables comes before that */
    bool uncounted_holder; /* it does not say that the broker counts it */
    int looks;             /* at the lease */
    int released;
    int renewals;
    struct lease_holder holder; /* as the last renewal wrote it */
    bool claimed;               /* the row says that the broker counts this holder */
    bool cancelled_while_claimed;
    bool tables_wrong; /* of the entity; to be mended by the test */
    int table_checks;
    bool database_away; /* no session can be opened, and calls of the present one fail */
};

void fakes_init(struct fakes *fakes);
void fakes_release(struct fakes *fakes);

/* Before a test is torn down: a failed assertion may have left the lock held, or writes blocked,
   and who waits for that hangs. */
void fakes_let_go(struct fakes *fakes);

void fakes_deliver(struct fakes *fakes, const char *body, bool redelivered);

struct queue_ports fakes_ports(struct fakes *fakes);
struct lease_port fakes_lease(struct fakes *fakes);

/* Fails the test when the condition does not hold within some seconds. Called with the lock
   held. */
void fakes_wait(struct fakes *fakes, bool (*condition)(const struct fakes *), const char *what);

/* A message of that body, mapped, as the consumer thread would hand it over. */
struct message *fakes_message(const char *body, uint64_t position);

#endif
