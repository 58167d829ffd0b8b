#include "pg/dead_letters.h"

#include "pg/statements.h"

#include <stdio.h>
#include <stdlib.h>

struct letter {
    uint8_t sha256[DIGEST_BYTES];
    size_t order;                 /* of arrival within the batch */
    const struct message *first;  /* of the equal bodies: gives what stays */
    const struct message *latest; /* gives what is replaced */
    int64_t occurrences;
};

static int compare_letters(const void *a, const void *b)
{
    const struct letter *left = a;
    const struct letter *right = b;
    int order = memcmp(left->sha256, right->sha256, DIGEST_BYTES);

    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

/* Adds up neighbours of equal digest. Returns how many are left. */
static size_t add_up(struct letter *letters, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && memcmp(letters[kept - 1].sha256, letters[i].sha256, DIGEST_BYTES) == 0) {
            letters[kept - 1].latest = letters[i].latest;
            letters[kept - 1].occurrences++;
        } else {
            letters[kept++] = letters[i];
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

static void put_letter(struct pg_array *arrays, const struct letter *letter)
{
    const struct message *first = letter->first;
    const struct refusal *refusal = &letter->latest->refusal;
    struct value properties = value_of_text(first->delivery->properties);
    struct slice id = first->refusal.entity_id;

    put_slice(&arrays[DEAD_LETTER_ENTITY_ID],
              id.data == NULL && first->change != NULL ? first->change->id : id);
    put_text(&arrays[DEAD_LETTER_REASON], refusal_reason_name(refusal->reason));
    put_detail(&arrays[DEAD_LETTER_DETAIL], refusal);
    put_text(&arrays[DEAD_LETTER_SQLSTATE], refusal->sqlstate);
    pg_array_bytes(&arrays[DEAD_LETTER_BODY], first->delivery->body);
    pg_array_bytes(&arrays[DEAD_LETTER_SHA256],
                   (struct slice){ (const char *)letter->sha256, DIGEST_BYTES });
    put_slice(&arrays[DEAD_LETTER_CONTENT_TYPE], first->delivery->content_type);
    put_slice(&arrays[DEAD_LETTER_MESSAGE_ID], first->delivery->message_id);
    pg_array_value(&arrays[DEAD_LETTER_PROPERTIES], &properties);
    pg_array_integer(&arrays[DEAD_LETTER_REDELIVERED], letter->latest->delivery->redelivered);
    pg_array_integer(&arrays[DEAD_LETTER_OCCURRENCES], letter->occurrences);
}

int pg_dead_letters_encode(struct pg_arguments *arguments, const char *queue, const char *entity,
                           struct message **messages, size_t count, size_t max_bytes)
{
    struct letter *letters = calloc(count, sizeof(*letters));
    int result =
        letters == NULL ? -1 : pg_arguments_init(arguments, &PG_WRITE_DEAD_LETTERS, 2, max_bytes);

    for (size_t i = 0; result == 0 && i < count; i++) {
        letters[i] = (struct letter){ .order = messages[i]->position,
                                      .first = messages[i],
                                      .latest = messages[i],
                                      .occurrences = 1 };
        result = digest_sha256(letters[i].sha256, &messages[i]->delivery->body, 1);
    }
    if (result == 0) {
        qsort(letters, count, sizeof(*letters), compare_letters);
        count = add_up(letters, count);
        for (size_t i = 0; i < count; i++)
            put_letter(arguments->arrays, &letters[i]);
        pg_arguments_scalar(arguments, 0, queue, strlen(queue));
        pg_arguments_scalar(arguments, 1, entity, strlen(entity));
        result = pg_arguments_finish(arguments);
    }
    free(letters);
    return result;
}
