#include "mapping/letter_case.h"

#include <string.h>

static bool take_bytes(struct slice *text, const char bytes[2])
{
    if (text->len < 2 || memcmp(text->data, bytes, 2) != 0)
        return false;
    text->data += 2;
    text->len -= 2;
    return true;
}

/* Takes one letter of a text that is not empty, in lower case. By the rules of Turkish, capital i
   is U+0130 and small I is U+0131; by those of other languages, small U+0130 is i and U+0307. */
static unsigned char take_letter(struct slice *text)
{
    unsigned char letter = 'i';

    if (!take_bytes(text, "\xC4\xB0") && !take_bytes(text, "\xC4\xB1")) {
        letter = (unsigned char)text->data[0];
        if (letter >= 'A' && letter <= 'Z')
            letter = (unsigned char)(letter - 'A' + 'a');
        text->data++;
        text->len--;
    }
    if (letter == 'i')
        take_bytes(text, "\xCC\x87");
    return letter;
}

bool letter_case_same_throughout(struct slice a, struct slice b)
{
    while (a.len > 0 && b.len > 0)
        if (take_letter(&a) != take_letter(&b))
            return false;
    return a.len == 0 && b.len == 0;
}
