/*
 * Whether two names are the same but for the case of their letters. Publishers in Turkey put names
 * into capitals or small letters by the rules of Turkish or by those of other languages, so all of
 * i, I, U+0130 (capital i with a dot), U+0131 (small i without one), and these with U+0307 (a
 * combining dot above) behind them are the same letter. Of the other letters, only those of ASCII
 * have two cases here.
 */
#ifndef KOPRU_MAPPING_LETTER_CASE_H
#define KOPRU_MAPPING_LETTER_CASE_H

#include "base/slice.h"

#include <stdbool.h>

/* What letter_case_same() does for names that begin alike. */
bool letter_case_same_throughout(struct slice a, struct slice b);

/* Whether two names are the same. It is asked for each value of a payload, and most names differ in
   their first letter. */
static inline bool letter_case_same(struct slice a, struct slice b)
{
    bool of_ascii = a.len > 0 && b.len > 0 && ((a.data[0] | b.data[0]) & 0x80) == 0;

    if (of_ascii && ((a.data[0] ^ b.data[0]) & ~('a' ^ 'A')) != 0)
        return false;
    return letter_case_same_throughout(a, b);
}

#endif
