#include "base/json_out.h"

#include "base/json_canonical.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>

enum { MAX_DEPTH = 32 };

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

void json_out_end(struct json_out *out)
{
    if (!is_usable(out))
        return;
    if (out->depth == 0)
        out->failed = true;
    else
        out->depth--;
}

/* A string of json-c in which each byte that is no UTF-8 is U+FFFD. NULL when there is no memory.
 */
static struct json_object *new_string(struct slice text)
{
    struct buffer repaired;
    struct json_object *string = NULL;

    if (text.len == 0 || utf8_is_valid(text))
        return json_object_new_string_len(text.len > 0 ? text.data : "", (int)text.len);
    buffer_init(&repaired, INT_MAX);
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
    if (value.len > INT_MAX)
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

/* json-c has no object for null, and NULL means no memory to us: null is raw text like any other.
 */
void json_out_null(struct json_out *out, const char *name)
{
    json_out_raw(out, name, SLICE_LITERAL("null"));
}

static void free_raw(struct json_object *value, void *raw)
{
    (void)value;
    free(raw);
}

void json_out_raw(struct json_out *out, const char *name, struct slice json)
{
    struct json_object *value;
    char *copy;

    if (!is_usable(out))
        return;
    value = json_object_new_int(0);
    copy = json.len > 0 && json.len <= INT_MAX ? strndup(json.data, json.len) : NULL;
    if (value == NULL || copy == NULL) {
        json_object_put(value);
        free(copy);
        out->failed = true;
        return;
    }
    json_object_set_userdata(value, copy, free_raw);
    put(out, name, value);
}

void json_out_fail(struct json_out *out)
{
    if (out != NULL)
        out->failed = true;
}

/*
 * Printing is not left to json-c: where it finds no memory for a piece, it goes on behind it and
 * says nothing.
 */
static void print_value(struct json_object *value, enum json_out_style style, int level,
                        struct buffer *text);

static void print_line(enum json_out_style style, int level, struct buffer *text)
{
    if (style == JSON_OUT_PRETTY)
        buffer_append_format(text, "\n%*s", 2 * level, "");
}

static void print_object(struct json_object *object, enum json_out_style style, int level,
                         struct buffer *text)
{
    struct json_object_iterator at = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);
    bool any = false;

    buffer_append_byte(text, '{');
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        if (any)
            buffer_append_byte(text, ',');
        any = true;
        print_line(style, level + 1, text);
        json_write_string(slice_of(json_object_iter_peek_name(&at)), text);
        buffer_append_text(text, style == JSON_OUT_PRETTY ? ": " : ":");
        print_value(json_object_iter_peek_value(&at), style, level + 1, text);
    }
    if (any)
        print_line(style, level, text);
    buffer_append_byte(text, '}');
}

static void print_array(struct json_object *array, enum json_out_style style, int level,
                        struct buffer *text)
{
    size_t count = json_object_array_length(array);

    buffer_append_byte(text, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_byte(text, ',');
        print_line(style, level + 1, text);
        print_value(json_object_array_get_idx(array, i), style, level + 1, text);
    }
    if (count > 0)
        print_line(style, level, text);
    buffer_append_byte(text, ']');
}

static void print_value(struct json_object *value, enum json_out_style style, int level,
                        struct buffer *text)
{
    const char *raw = json_object_get_userdata(value);

    if (raw != NULL)
        buffer_append_text(text, raw);
    else if (json_object_is_type(value, json_type_object))
        print_object(value, style, level, text);
    else if (json_object_is_type(value, json_type_array))
        print_array(value, style, level, text);
    else if (json_object_is_type(value, json_type_string))
        json_write_string((struct slice){ json_object_get_string(value),
                                          (size_t)json_object_get_string_len(value) },
                          text);
    else if (json_object_is_type(value, json_type_boolean))
        buffer_append_text(text, json_object_get_boolean(value) ? "true" : "false");
    else
        buffer_append_format(text, "%" PRId64, json_object_get_int64(value));
}

int json_out_print(const struct json_out *out, enum json_out_style style, struct buffer *text)
{
    if (!is_usable(out) || out->document == NULL || out->depth > 0)
        return -1;
    print_value(out->document, style, 0, text);
    return buffer_failed(text) ? -1 : 0;
}
