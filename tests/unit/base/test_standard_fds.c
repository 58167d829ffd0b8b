#include "base/standard_fds.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs a check in a process of its own, whose exit status says whether it holds. */
static void assert_in_child(int (*holds)(int), int argument)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(holds(argument) ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int is_null_device(int fd)
{
    char link[32] = "/proc/self/fd/";
    char target[32] = "";

    link[strlen(link)] = (char)('0' + fd);
    return readlink(link, target, sizeof(target) - 1) > 0 && strcmp(target, "/dev/null") == 0;
}

/* mask has a bit for each descriptor that is closed. */
static int closed_ones_become_the_null_device(int mask)
{
    struct error err;
    int unused;

    for (int fd = 0; fd <= 2; fd++)
        if (dup2(open("/dev/zero", O_RDWR | O_CLOEXEC), fd) != fd)
            return 0;
    closefrom(3);
    for (int fd = 0; fd <= 2; fd++)
        if ((mask & 1 << fd) != 0)
            close(fd);
    if (standard_fds_open(&err) != 0)
        return 0;
    for (int fd = 0; fd <= 2; fd++)
        if (is_null_device(fd) != ((mask & 1 << fd) != 0))
            return 0;
    unused = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    return unused == 3;
}

static void whichever_are_closed(void **state)
{
    (void)state;
    for (int mask = 0; mask < 8; mask++)
        assert_in_child(closed_ones_become_the_null_device, mask);
}

static int they_read_and_write_as_closed_ones(int unused)
{
    char byte = 0;
    struct error err;

    (void)unused;
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    return standard_fds_open(&err) == 0 && read(STDIN_FILENO, &byte, 1) < 0 &&
           write(STDOUT_FILENO, &byte, 1) < 0 && write(STDERR_FILENO, &byte, 1) == 1;
}

static void no_input_is_not_an_empty_input(void **state)
{
    (void)state;
    assert_in_child(they_read_and_write_as_closed_ones, 0);
}

static int a_refusal_is_an_error(int unused)
{
    const struct rlimit none = { 0, 0 };
    struct error err;

    (void)unused;
    close(STDERR_FILENO);
    return setrlimit(RLIMIT_NOFILE, &none) == 0 && standard_fds_open(&err) == -1 &&
           err.kind == ERROR_INTERNAL && strcmp(err.subject, "/dev/null") == 0;
}

static void without_the_device_it_fails(void **state)
{
    (void)state;
    assert_in_child(a_refusal_is_an_error, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_are_closed),
        cmocka_unit_test(no_input_is_not_an_empty_input),
        cmocka_unit_test(without_the_device_it_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
