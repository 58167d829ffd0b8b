#include "pg/dead_letters.h"

#include "pg/binary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Equal bodies must be added up before they are sent, because ON CONFLICT DO UPDATE refuses to
 * touch the same row twice in one statement (SQLSTATE 21000). What describes the message is taken
 * from the first of them and what describes the refusal from the latest, just as the statement does
 * with a row that is already stored.
 */

const struct pg_statement PG_WRITE_DEAD_LETTERS = {
    .name = "kopru_write_dead_letters",
    .sql = "INSERT INTO kopru.dead_letters AS t"
           " (queue, entity, entity_id, reason, detail, sqlstate, body, body_sha256,"
           " content_type, message_id, properties, redelivered, occurrences)\n"
           "SELECT $1, $2, i.entity_id, i.reason, i.detail, i.sqlstate, i.body, i.body_sha256,"
           " i.content_type, i.message_id, i.properties, i.redelivered, i.occurrences\n"
           "FROM unnest("
           "$3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[],"
           " $9::text[], $10::text[], $11::jsonb[], $12::boolean[], $13::bigint[])"
           " AS i("
           "entity_id, reason, detail, sqlstate, body, body_sha256,"
           " content_type, message_id, properties, redelivered, occurrences)\n"
           "ON CONFLICT (queue, body_sha256) WHERE status = 'open' DO UPDATE SET"
           " reason = excluded.reason,"
           " detail = excluded.detail,"
           " sqlstate = excluded.sqlstate,"
           " redelivered = excluded.redelivered,"
           " occurrences = t.occurrences + excluded.occurrences,"
           " last_seen_at = greatest(now(), t.last_seen_at)\n"
           "RETURNING 1",
    .param_count = PG_DEAD_LETTER_SCALARS + DEAD_LETTER_ARRAYS,
    .param_types =
        (const Oid[]){ TEXT_OID, TEXT_OID, TEXT_ARRAY_OID, TEXT_ARRAY_OID, TEXT_ARRAY_OID,
                       TEXT_ARRAY_OID, BYTEA_ARRAY_OID, BYTEA_ARRAY_OID, TEXT_ARRAY_OID,
                       TEXT_ARRAY_OID, JSONB_ARRAY_OID, BOOL_ARRAY_OID, INT8_ARRAY_OID },
    .writes = "dead_letters",
};

struct dead_letter {
    uint8_t sha256[DIGEST_BYTES];
    size_t order;                 /* of arrival within the batch */
    const struct message *first;  /* of the equal bodies: gives what stays */
    const struct message *latest; /* gives what is replaced */
    int64_t occurrences;
};

static int compare(const void *a, const void *b)
{
    const struct dead_letter *left = a;
    const struct dead_letter *right = b;
    int order = memcmp(left->sha256, right->sha256, DIGEST_BYTES);

    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

/* Adds up neighbours of equal digest. Returns how many are left. */
static size_t add_up(struct dead_letter *dead_letters, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept > 0 &&
            memcmp(dead_letters[kept - 1].sha256, dead_letters[i].sha256, DIGEST_BYTES) == 0) {
            dead_letters[kept - 1].latest = dead_letters[i].latest;
            dead_letters[kept - 1].occurrences++;
        } else {
            dead_letters[kept++] = dead_letters[i];
        }
    }
    return kept;
}

static void put_slice(struct pg_array *array, struct slice text)
{
    if (text.data == NULL)
        pg_array_null(array);
    else
        pg_array_bytes(array, text);
}

static void put_text(struct pg_array *array, const char *text)
{
    put_slice(array, text[0] != '\0' ? slice_of(text) : (struct slice){ NULL, 0 });
}

/* "$.id: the rule", never a value. */
static void put_detail(struct pg_array *array, const struct refusal *refusal)
{
    char detail[REFUSAL_DETAIL_MAX_BYTES];

    snprintf(detail, sizeof(detail), "%s%s%s", refusal->path,
             refusal->path[0] != '\0' && refusal->detail[0] != '\0' ? ": " : "", refusal->detail);
    put_text(array, detail);
}

static void put_dead_letter(struct pg_array *arrays, const struct dead_letter *dead_letter)
{
    const struct message *first = dead_letter->first;
    const struct refusal *refusal = &dead_letter->latest->refusal;
    struct value properties = value_of_text(first->delivery->properties);
    struct slice id = first->refusal.entity_id;

    put_slice(&arrays[DEAD_LETTER_ENTITY_ID],
              id.data == NULL && first->change != NULL ? first->change->id : id);
    put_text(&arrays[DEAD_LETTER_REASON], refusal_reason_name(refusal->reason));
    put_detail(&arrays[DEAD_LETTER_DETAIL], refusal);
    put_text(&arrays[DEAD_LETTER_SQLSTATE], refusal->sqlstate);
    pg_array_bytes(&arrays[DEAD_LETTER_BODY], first->delivery->body);
    pg_array_bytes(&arrays[DEAD_LETTER_SHA256],
                   (struct slice){ (const char *)dead_letter->sha256, DIGEST_BYTES });
    put_slice(&arrays[DEAD_LETTER_CONTENT_TYPE], first->delivery->content_type);
    put_slice(&arrays[DEAD_LETTER_MESSAGE_ID], first->delivery->message_id);
    pg_array_value(&arrays[DEAD_LETTER_PROPERTIES], &properties);
    pg_array_integer(&arrays[DEAD_LETTER_REDELIVERED], dead_letter->latest->delivery->redelivered);
    pg_array_integer(&arrays[DEAD_LETTER_OCCURRENCES], dead_letter->occurrences);
}

static int make_dead_letter(struct dead_letter *dead_letter, const struct message *message)
{
    *dead_letter = (struct dead_letter){
        .order = message->position, .first = message, .latest = message, .occurrences = 1
    };
    return digest_sha256(dead_letter->sha256, &message->delivery->body, 1);
}

int pg_dead_letters_fill(struct pg_arguments *arguments, const char *queue, const char *entity,
                         struct message **messages, size_t count)
{
    struct dead_letter *dead_letters = calloc(count, sizeof(*dead_letters));
    int result = dead_letters == NULL ? -1 : 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = make_dead_letter(&dead_letters[i], messages[i]);
    if (result == 0) {
        qsort(dead_letters, count, sizeof(*dead_letters), compare);
        count = add_up(dead_letters, count);
        for (size_t i = 0; i < count; i++)
            put_dead_letter(arguments->arrays, &dead_letters[i]);
        pg_arguments_scalar(arguments, 0, queue, strlen(queue));
        pg_arguments_scalar(arguments, 1, entity, strlen(entity));
    }
    free(dead_letters);
    return result;
}

/* The body's key is what ON CONFLICT looks at, so only the number can be taken already. */
void pg_dead_letters_hint(struct pg_failure *failure)
{
    if (strcmp(failure->sqlstate, "23505") == 0 &&
        strcmp(failure->constraint, "dead_letters_pkey") == 0)
        error_hint(&failure->error, "the identity of kopru.dead_letters is behind its rows, as "
                                    "after a logical copy; " PG_DEAD_LETTERS_SET_IDENTITY);
    else
        error_hint(&failure->error, "a constraint or trigger of the site on kopru.dead_letters "
                                    "refuses what kopru writes there: remove it");
}
