/*
 * json-c builds the document and prints it. Three things remain here, because json-c (0.16 to 0.19)
 * does not do them. It passes bytes that are not UTF-8 through, so they are replaced before it sees
 * them. When it finds no memory while it prints, it leaves the piece out, goes on and reports
 * success; a document that lacks a piece may still be valid JSON, so errno and the length decide
 * whether the text is whole. And 0.16, which Debian 12 has, breaks the line inside an empty object
 * or array where later versions do not, so an empty container is printed as a constant.
 */
#include "base/json_out.h"

#include "base/utf8.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>

/* json-c counts bytes in an int, and 0.16 leaves out what would exceed it without setting errno. No
   piece is longer than half of that, so a document that lost one is longer than the other half. */
enum { MAX_DEPTH = 32, MAX_BYTES = INT_MAX / 2 - 64 };

struct json_out {
    struct json_object *document;
    struct json_object *open[MAX_DEPTH]; /* the containers that were not ended, the innermost last;
                                            borrowed from document */
    int depth;
    bool failed;
};

struct json_out *json_out_new(void)
{
    return calloc(1, sizeof(struct json_out));
}

void json_out_free(struct json_out *out)
{
    if (out == NULL)
        return;
    json_object_put(out->document);
    free(out);
}

/* Takes value, which is NULL when there was no memory for it. Returns whether it is in the document
   now. */
static bool put(struct json_out *out, const char *name, struct json_object *value)
{
    struct json_object *container = out->depth > 0 ? out->open[out->depth - 1] : NULL;
    bool done = false;

    if (value == NULL) {
        out->failed = true;
        return false;
    }
    if (container == NULL) {
        done = out->document == NULL && name == NULL;
        if (done)
            out->document = value;
    } else if (json_object_is_type(container, json_type_object)) {
        done = name != NULL && json_object_object_add(container, name, value) == 0;
    } else {
        done = name == NULL && json_object_array_add(container, value) == 0;
    }
    if (!done) {
        out->failed = true;
        json_object_put(value);
    }
    return done;
}

static void put_container(struct json_out *out, const char *name, struct json_object *container)
{
    if (!put(out, name, container))
        return;
    if (out->depth == MAX_DEPTH)
        out->failed = true;
    else
        out->open[out->depth++] = container;
}

/* After a failure nothing is added: the containers that are open may not be the ones the caller
   means. */
static bool is_usable(const struct json_out *out)
{
    return out != NULL && !out->failed;
}

void json_out_object(struct json_out *out, const char *name)
{
    if (is_usable(out))
        put_container(out, name, json_object_new_object());
}

void json_out_array(struct json_out *out, const char *name)
{
    if (is_usable(out))
        put_container(out, name, json_object_new_array());
}

static void print_as(struct json_object *value, char *json, json_object_delete_fn *delete_json)
{
    json_object_set_serializer(value, json_object_userdata_to_json_string, json, delete_json);
}

void json_out_end(struct json_out *out)
{
    static char empty_object[] = "{}";
    static char empty_array[] = "[]";
    struct json_object *ended;

    if (!is_usable(out))
        return;
    if (out->depth == 0) {
        out->failed = true;
        return;
    }
    ended = out->open[--out->depth];
    if (json_object_is_type(ended, json_type_array)) {
        if (json_object_array_length(ended) == 0)
            print_as(ended, empty_array, NULL);
    } else if (json_object_object_length(ended) == 0) {
        print_as(ended, empty_object, NULL);
    }
}

/* Returns a json-c string in which U+FFFD stands for each byte that is not UTF-8, or NULL when
   there is no memory. */
static struct json_object *new_string(struct slice text)
{
    struct buffer repaired;
    struct json_object *string = NULL;

    if (text.len == 0 || utf8_is_valid(text))
        return json_object_new_string_len(text.len > 0 ? text.data : "", (int)text.len);
    buffer_init(&repaired, MAX_BYTES);
    while (text.len > 0) {
        size_t valid = utf8_valid_len(text);

        buffer_append(&repaired, text.data, valid);
        if (valid == text.len)
            break;
        buffer_append_text(&repaired, "\xEF\xBF\xBD");
        text.data += valid + 1;
        text.len -= valid + 1;
    }
    if (!buffer_failed(&repaired))
        string = json_object_new_string_len(repaired.data, (int)repaired.len);
    buffer_release(&repaired);
    return string;
}

void json_out_string(struct json_out *out, const char *name, struct slice value)
{
    if (!is_usable(out))
        return;
    if (value.len > MAX_BYTES)
        out->failed = true;
    else
        put(out, name, new_string(value));
}

void json_out_text(struct json_out *out, const char *name, const char *value)
{
    if (value == NULL)
        json_out_null(out, name);
    else
        json_out_string(out, name, slice_of(value));
}

void json_out_integer(struct json_out *out, const char *name, int64_t value)
{
    if (is_usable(out))
        put(out, name, json_object_new_int64(value));
}

void json_out_bool(struct json_out *out, const char *name, bool value)
{
    if (is_usable(out))
        put(out, name, json_object_new_boolean(value));
}

/* json-c's null is the pointer NULL, which here means that there was no memory, so null is raw
   text. */
void json_out_null(struct json_out *out, const char *name)
{
    json_out_raw(out, name, SLICE_LITERAL("null"));
}

void json_out_raw(struct json_out *out, const char *name, struct slice json)
{
    struct json_object *value;
    char *copy;

    if (!is_usable(out))
        return;
    value = json_object_new_int(0);
    copy = json.len > 0 && json.len <= MAX_BYTES ? strndup(json.data, json.len) : NULL;
    if (value == NULL || copy == NULL) {
        json_object_put(value);
        free(copy);
        out->failed = true;
        return;
    }
    print_as(value, copy, json_object_free_userdata);
    put(out, name, value);
}

void json_out_fail(struct json_out *out)
{
    if (out != NULL)
        out->failed = true;
}

int json_out_print(const struct json_out *out, enum json_out_style style, struct buffer *text)
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
    const char *printed;
    size_t len;

    if (!is_usable(out) || out->document == NULL || out->depth > 0)
        return -1;
    if (style == JSON_OUT_PRETTY)
        flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
    errno = 0;
    printed = json_object_to_json_string_length(out->document, flags, &len);
    if (printed == NULL || errno != 0 || len > MAX_BYTES)
        return -1;
    buffer_append(text, printed, len);
    return buffer_failed(text) ? -1 : 0;
}
