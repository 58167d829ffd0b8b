#include "base/log_libraries.h"

#include "base/log.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A daemon in which a library prints. */
static _Noreturn void print_and_abort(int fd)
{
    struct error err;

    dup2(fd, STDERR_FILENO);
    log_configure(LOG_INFO, LOG_FORMAT_JSON);
    if (log_start(&err) != 0 || log_libraries_take(&err) != 0)
        _exit(1);
    fputs("one ", stderr);
    fprintf(stderr, "line of %d\n\nand \"another\"\n", 2);
    fputs("fatal: in a line that does not end", stderr);
    fflush(stderr);
    abort();
}

static void assert_next_text(FILE *file, const char *expected)
{
    char line[4096];
    struct json_object *object;

    assert_non_null(fgets(line, sizeof(line), file));
    object = json_tokener_parse(line);
    assert_non_null(object);
    assert_string_equal(json_object_get_string(json_object_object_get(object, "event")),
                        "library_message");
    assert_string_equal(json_object_get_string(json_object_object_get(object, "level")), "warning");
    assert_string_equal(json_object_get_string(json_object_object_get(object, "text")), expected);
    json_object_put(object);
}

static void what_libraries_print_is_logged_even_before_an_abort(void **state)
{
    int ends[2];
    FILE *file;
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        print_and_abort(ends[1]);
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    file = fdopen(ends[0], "r");
    assert_non_null(file);
    assert_next_text(file, "one line of 2");
    assert_next_text(file, "and \"another\"");
    assert_next_text(file, "fatal: in a line that does not end");
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libraries_print_is_logged_even_before_an_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
