#include "base/proc_stat.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The name of this process is plain, so a format can count to field 22. */
static unsigned long long own_start(void)
{
    FILE *file = fopen("/proc/self/stat", "re");
    unsigned long long start = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file,
                            "%*d (%*[a-z_]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
                            "%*d %*d %*d %*d %*d %*d %llu",
                            &start),
                     1);
    fclose(file);
    return start;
}

static struct proc_stat read_stat(long pid)
{
    struct proc_stat stat;

    assert_true(proc_stat_read(pid, &stat));
    return stat;
}

static void the_start_of_this_process_is_read(void **state)
{
    (void)state;
    prctl(PR_SET_NAME, "plain");
    assert_true(own_start() > 0);
    assert_int_equal(read_stat(0).start_ticks, own_start());
    assert_int_equal(read_stat(getpid()).start_ticks, own_start());
    assert_int_equal(read_stat(0).state, 'R');
    assert_int_equal(read_stat(0).threads, 1);
}

static void the_name_may_hold_anything(void **state)
{
    static const char *const names[] = {
        "a b c", ") Z 1 2 3", "(", ")", "))) Z ((", "a\nb)\n", ""
    };
    unsigned long long start = own_start();

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        prctl(PR_SET_NAME, names[i]);
        assert_int_equal(read_stat(getpid()).start_ticks, start);
        assert_int_equal(read_stat(getpid()).state, 'R');
    }
    prctl(PR_SET_NAME, "plain");
}

static void nobody_has_no_start(void **state)
{
    struct proc_stat stat;

    (void)state;
    assert_false(proc_stat_read(-1, &stat));
    assert_false(proc_stat_read(INT_MAX, &stat));
}

static void a_zombie_is_told_from_a_process_that_runs(void **state)
{
    struct proc_stat stat;
    siginfo_t ended;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(read_stat(child).start_ticks >= own_start());
    assert_int_not_equal(read_stat(child).state, 'Z');
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
    assert_int_equal(read_stat(child).state, 'Z');
    assert_int_equal(read_stat(child).threads, 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(proc_stat_read(child, &stat));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_of_this_process_is_read),
        cmocka_unit_test(the_name_may_hold_anything),
        cmocka_unit_test(nobody_has_no_start),
        cmocka_unit_test(a_zombie_is_told_from_a_process_that_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
