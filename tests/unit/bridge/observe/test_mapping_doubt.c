/* What is said of a mapping that does not fit. */
#include "bridge/observe/mapping_doubt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct mapping_doubt doubt;
static size_t unmatched_count;
static int questions;

static size_t unmatched(void *mapper, char *text, size_t size)
{
    (void)mapper;
    questions++;
    snprintf(text, size, "%s", unmatched_count > 0 ? "a.path" : "");
    return unmatched_count;
}

static const struct mapper_port port = { .unmatched = unmatched };

static int set_up(void **state)
{
    (void)state;
    unmatched_count = 0;
    questions = 0;
    mapping_doubt_init(&doubt);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mapping_doubt_release(&doubt);
    return 0;
}

static void note(struct change change)
{
    mapping_doubt_note(&doubt, "q", &change, &port, NULL);
}

static void assert_said(const char *text)
{
    struct mapping_figures figures;
    char said[FRESHNESS_DOUBT_MAX_BYTES];

    mapping_doubt_read(&doubt, &figures);
    assert_string_equal(mapping_doubt_text(&figures, said, sizeof(said)), text);
}

static void messages_that_fit_say_nothing(void **state)
{
    (void)state;
    note((struct change){ .judged_anew = true });
    note((struct change){ 0 });
    assert_said("");
    assert_int_equal(questions, 1);
}

static void each_reason_is_named_with_its_count(void **state)
{
    (void)state;
    note((struct change){ .unmapped = true });
    assert_said("1 of 1 messages had nothing that the entity file maps but their id");
    note((struct change){ .other_case = SLICE_LITERAL("status") });
    unmatched_count = 1;
    note((struct change){ .judged_anew = true });
    assert_said("1 of 3 messages had nothing that the entity file maps but their id; 1 of 3 "
                "messages had a name that differs from \"status\" by its letter case alone; none "
                "of 3 messages had a.path");
}

static void a_path_that_comes_late_is_not_named_any_more(void **state)
{
    (void)state;
    unmatched_count = 1;
    note((struct change){ .judged_anew = true });
    assert_said("none of 1 messages had a.path");
    unmatched_count = 0;
    note((struct change){ .judged_anew = true });
    assert_said("");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_that_fit_say_nothing),
        TEST(each_reason_is_named_with_its_count),
        TEST(a_path_that_comes_late_is_not_named_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
