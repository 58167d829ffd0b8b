#include "scratch.h"

#include <fts.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void scratch_init(struct scratch *scratch)
{
    snprintf(scratch->directory, sizeof(scratch->directory), "/tmp/kopru-test-XXXXXX");
    assert_non_null(mkdtemp(scratch->directory));
}

void scratch_release(struct scratch *scratch)
{
    char *roots[] = { scratch->directory, NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;

    assert_non_null(walk);
    while ((entry = fts_read(walk)) != NULL)
        if (entry->fts_info != FTS_D) /* a directory comes again, as FTS_DP, behind what is in it */
            remove(entry->fts_accpath);
    fts_close(walk);
}

const char *scratch_write_bytes(struct scratch *scratch, const char *name, const void *bytes,
                                size_t len)
{
    FILE *out;

    snprintf(scratch->path, sizeof(scratch->path), "%s/%s", scratch->directory, name);
    out = fopen(scratch->path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(scratch->path, 0640), 0);
    return scratch->path;
}

const char *scratch_write(struct scratch *scratch, const char *name, const char *text)
{
    return scratch_write_bytes(scratch, name, text, strlen(text));
}

static void print_problems(const struct error_list *problems)
{
    char text[2048];

    for (size_t i = 0; i < problems->count; i++)
        print_error("problem: %s\n", error_text(&problems->items[i], text, sizeof(text)));
}

void assert_problem_count(const struct error_list *problems, size_t count)
{
    if (problems->count != count)
        print_problems(problems);
    assert_int_equal(problems->count, count);
}

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

void assert_one_problem(const struct error_list *problems, const char *place, const char *title,
                        const char *why)
{
    const struct error *err;

    assert_problem_count(problems, 1);
    err = &problems->items[0];
    assert_int_equal(err->kind, ERROR_CONFIG);
    if ((place != NULL && !ends_in(err->subject, place)) ||
        (title != NULL && strstr(err->what, title) == NULL) ||
        (why != NULL && strstr(err->why, why) == NULL)) {
        print_problems(problems);
        fail_msg("expected place %s, title %s, why %s", place, title, why);
    }
}

bool has_problem(const struct error_list *problems, const char *words)
{
    char text[2048];

    for (size_t i = 0; i < problems->count; i++)
        if (strstr(error_text(&problems->items[i], text, sizeof(text)), words) != NULL)
            return true;
    print_problems(problems);
    return false;
}
