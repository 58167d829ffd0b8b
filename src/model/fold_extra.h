/*
 * The `extra` of a root while messages are applied to it: its members, and what a message makes of
 * them. The functions are the part of fold.h that is about `extra`.
 */
#ifndef KOPRU_MODEL_FOLD_EXTRA_H
#define KOPRU_MODEL_FOLD_EXTRA_H

#include "model/fold.h"

/* Takes the members that the message speaks about out of `extra`, and puts the message's leftovers
   in. Returns FOLD_APPLIED; or, with nothing changed, FOLD_TOO_LARGE, FOLD_UNREADABLE or
   FOLD_NO_MEMORY. */
enum fold_result fold_extra_apply(struct fold_state *state, const struct change *change,
                                  struct arena *arena);

/* Writes the text of the members into the root's row, if messages changed them. Returns 0, or -1
   when there is no memory. */
int fold_extra_end(struct fold_state *state, struct arena *arena);

#endif
