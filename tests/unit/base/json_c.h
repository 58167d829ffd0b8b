/*
 * json-c as a second opinion that accepts nothing but JSON.
 *
 * In strict mode json-c 0.18 refuses bytes above 0x7F, which it takes for control characters, and
 * integers of more than 64 bits. So each text is read twice: strictly, with a letter in place of
 * each such byte and without the digits that are too many, and then as it is, for its UTF-8 and its
 * values.
 */
#pragma once

#include <json-c/json.h>
#include <stdlib.h>

static inline struct json_object *json_c_read_with(int flags, const char *text, size_t len,
                                                   int max_depth)
{
    struct json_tokener *tokener = json_tokener_new_ex(max_depth);
    struct json_object *object;
    enum json_tokener_error refused;

    assert_non_null(tokener);
    json_tokener_set_flags(tokener, flags);
    object = json_tokener_parse_ex(tokener, text, (int)len);
    refused = json_tokener_get_error(tokener);
    if (refused != json_tokener_success || json_tokener_get_parse_end(tokener) != len)
        fail_msg("json-c refuses (%s): %.*s", json_tokener_error_desc(refused), (int)len, text);
    json_tokener_free(tokener);
    return object;
}

/* Writes what strict mode is to judge to out, which has room for len bytes. Returns its length. */
static inline size_t json_c_simplify(const char *text, size_t len, char *out)
{
    size_t digits = 0; /* in a row */
    size_t kept = 0;

    for (size_t i = 0; i < len; i++) {
        digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
        if (digits <= 18)
            out[kept++] = (unsigned char)text[i] > 0x7F ? 'x' : text[i];
    }
    return kept;
}

/* The value of the text, which json_object_put() frees. Fails the test if the text is not JSON. */
static inline struct json_object *json_c_read(const char *text, size_t len, int max_depth)
{
    char *simple = malloc(len);
    size_t simple_len;

    assert_non_null(simple);
    simple_len = json_c_simplify(text, len, simple);
    json_object_put(json_c_read_with(JSON_TOKENER_STRICT, simple, simple_len, max_depth));
    free(simple);
    return json_c_read_with(JSON_TOKENER_VALIDATE_UTF8, text, len, max_depth);
}
