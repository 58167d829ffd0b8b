/* Refused messages as the parameters of PG_WRITE_DEAD_LETTERS: equal bodies added up, sorted by
   digest. */
#ifndef KOPRU_PG_DEAD_LETTERS_H
#define KOPRU_PG_DEAD_LETTERS_H

#include "model/message.h"
#include "pg/arguments.h"

/* Queue and entity must outlive the arguments. Returns 0, or -1 when there is no memory. Release
   arguments in both cases. */
int pg_dead_letters_encode(struct pg_arguments *arguments, const char *queue, const char *entity,
                           struct message **messages, size_t count, size_t max_bytes);

#endif
