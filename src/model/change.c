#include "model/change.h"

#include "base/json_canonical.h"

int json_name_compare(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return slice_compare(a, b);
}

int json_pair_compare(const void *a, const void *b)
{
    return json_name_compare(((const struct json_pair *)a)->name,
                             ((const struct json_pair *)b)->name);
}

void json_pairs_write(const struct json_pair *pairs, size_t count, struct buffer *out)
{
    buffer_append_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_text(out, ", ");
        json_write_string(pairs[i].name, out);
        buffer_append_text(out, ": ");
        buffer_append_slice(out, pairs[i].text);
    }
    buffer_append_byte(out, '}');
}

bool change_names(const struct change *change, struct slice name)
{
    size_t low = 0;
    size_t high = change->name_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(name, change->names[middle]);

        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
