#include "model/change.h"

int json_name_compare(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return slice_compare(a, b);
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
