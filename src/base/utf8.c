#include "base/utf8.h"

/*
 * Every body is checked, and nearly all of it is ASCII, so eight bytes are looked at in one step.
 * The check of a character accepts exactly what PostgreSQL accepts: a text that passes here must
 * not be refused there, where it would cost the batch.
 */

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Returns the length of the character at bytes, of which `left` can be read, or 0 if it is
   ill-formed. The narrower ranges of the second byte keep out overlong forms, surrogates and code
   points beyond U+10FFFF. */
static size_t character_len(const unsigned char *bytes, size_t left)
{
    unsigned char first = bytes[0];
    unsigned char low = 0x80;
    unsigned char high = 0xBF;

    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4 || left < 2)
        return 0;
    if (first < 0xE0)
        return is_continuation(bytes[1]) ? 2 : 0;
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    if (bytes[1] < low || bytes[1] > high || left < 3 || !is_continuation(bytes[2]))
        return 0;
    if (first < 0xF0)
        return 3;
    return left >= 4 && is_continuation(bytes[3]) ? 4 : 0;
}

size_t utf8_valid_len(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t at = 0;

    while (at < text.len) {
        uint64_t word;
        size_t len;

        if (text.len - at >= sizeof(word)) {
            memcpy(&word, bytes + at, sizeof(word));
            if ((word & HIGH_BITS) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        while (at < text.len && bytes[at] < 0x80)
            at++;
        /* The letters of a script other than Latin stand together, so stay in this loop. */
        while (at < text.len && bytes[at] >= 0x80) {
            len = character_len(bytes + at, text.len - at);
            if (len == 0)
                return at;
            at += len;
        }
    }
    return at;
}

bool utf8_is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (((unsigned char)text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == '\x7f')
            return false;
    return utf8_is_valid(text);
}

struct slice utf8_cut(struct slice text, size_t max_bytes)
{
    if (text.len <= max_bytes)
        return text;
    while (max_bytes > 0 && is_continuation((unsigned char)text.data[max_bytes]))
        max_bytes--;
    return (struct slice){ text.data, max_bytes };
}

size_t utf8_encode(uint32_t code_point, char out[4])
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xC0 | (code_point >> 6));
        out[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xE0 | (code_point >> 12));
        out[1] = (char)(0x80 | ((code_point >> 6) & 0x3F));
        out[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code_point >> 18));
    out[1] = (char)(0x80 | ((code_point >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((code_point >> 6) & 0x3F));
    out[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}
