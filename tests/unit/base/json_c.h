/*
 * json-c as a second opinion that accepts nothing but JSON.
 *
 * In strict mode json-c 0.18 takes every byte above 0x7F for a control character. So each text is
 * read twice: strictly, with a letter in place of each such byte, and then as it is, for its UTF-8
 * and its values.
 */
#pragma once

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

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

/* The value of the text, which json_object_put() frees. Fails the test if the text is not JSON. */
static inline struct json_object *json_c_read(const char *text, size_t len, int max_depth)
{
    char *ascii = malloc(len + 1);

    assert_non_null(ascii);
    memcpy(ascii, text, len);
    ascii[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)ascii[i] > 0x7F)
            ascii[i] = 'x';
    json_object_put(json_c_read_with(JSON_TOKENER_STRICT, ascii, len, max_depth));
    free(ascii);
    return json_c_read_with(JSON_TOKENER_VALIDATE_UTF8, text, len, max_depth);
}
