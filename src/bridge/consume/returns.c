#include "bridge/consume/returns.h"

#include "base/log.h"
#include "bridge/timing.h"

void returns_begin(struct returns *returns, uint32_t in_row)
{
    returns->before = returns_highest(returns);
    if (in_row > returns->before)
        returns->before = in_row;
    returns->now = 0;
    returns->last_tag = 0;
    returns->told = 0;
}

static void tell_of_limit(struct returns *returns, const struct queue *queue, int default_limit)
{
    if (default_limit == 0 || returns->told_limit)
        return;
    returns->told_limit = true;
    log_event(LOG_WARNING, "delivery_limit",
              "messages came back to a quorum queue, which by default drops them when they come "
              "back too often",
              LOG_TEXT("queue", queue->name), LOG_NUMBER("default_limit", default_limit),
              LOG_TEXT("hint",
                       "AMQP does not show what its owner set: look with rabbitmqctl list_queues "
                       "name type arguments effective_policy_definition, and have a delivery-limit "
                       "of -1 or a dead-letter-exchange set by policy"));
}

static void tell_of_returns(struct returns *returns, const struct queue *queue, uint32_t count)
{
    if (!returns_are_near(count) || count <= returns->told)
        return;
    returns->told = count;
    log_event(LOG_WARNING, "delivery_limit_near",
              "messages came back to the broker so often that it may soon drop them",
              LOG_TEXT("queue", queue->name), LOG_NUMBER("returns", count),
              LOG_NUMBER("assumed_limit", RETURNS_LIMIT),
              LOG_TEXT("hint",
                       "find out why they are not acknowledged; until then, have the queue's owner "
                       "set a dead-letter-exchange by policy or, with RabbitMQ 4, a "
                       "delivery-limit of -1"));
}

bool returns_note(struct returns *returns, struct queue *queue, const struct delivery *delivery,
                  int default_limit)
{
    uint32_t count = delivery->returns;
    bool nearer = returns_are_near(count) && count > returns->now;

    if (count == 0)
        return false;
    returns->last_tag = delivery->tag;
    if (count > returns->now)
        returns->now = count;
    if (returns_are_near(count))
        atomic_fetch_add(&queue->counters.near_limit, 1);
    tell_of_limit(returns, queue, default_limit);
    tell_of_returns(returns, queue, count);
    return nearer;
}

void returns_forget(struct returns *returns, uint64_t oldest_tag, bool redelivered_open)
{
    if (redelivered_open)
        return;
    returns->before = 0;
    if (oldest_tag == 0 || oldest_tag > returns->last_tag)
        returns->now = 0;
}

uint32_t returns_highest(const struct returns *returns)
{
    return returns->before > returns->now ? returns->before : returns->now;
}

int returns_wait_ms(uint32_t count)
{
    int wait_ms = 1000;

    if (!returns_are_near(count))
        return 0;
    for (uint32_t i = RETURNS_NEAR; i <= count; i++)
        wait_ms *= 2;
    return wait_ms < RETURNS_WAIT_MAX_MS ? wait_ms : RETURNS_WAIT_MAX_MS;
}
