#include "bridge/lease/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct lease_holder self(void)
{
    struct lease_holder holder;

    process_identify(&holder);
    return holder;
}

static void a_running_process_is_not_dead(void **state)
{
    (void)state;
    assert_false(process_is_dead(self().instance));
}

static void people_read_host_and_process_id(void **state)
{
    struct lease_holder holder = self();
    char host[65];
    char expected[128];

    (void)state;
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    snprintf(expected, sizeof(expected), "%s %ld", host, (long)getpid());
    assert_string_equal(holder.name, expected);
}

static void a_process_that_ended_here_is_dead(void **state)
{
    struct lease_holder holder = { 0 };
    int channel[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(channel), 0);
    child = fork();
    if (child == 0) {
        process_identify(&holder);
        if (write(channel[1], &holder, sizeof(holder)) != sizeof(holder))
            _exit(1);
        _exit(0);
    }
    assert_int_equal(read(channel[0], &holder, sizeof(holder)), sizeof(holder));
    assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
    assert_true(strlen(holder.instance) > 0);
    assert_true(process_is_dead(holder.instance)); /* also before its parent took notice */
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(channel[0]);
    close(channel[1]);
    assert_true(process_is_dead(holder.instance));
}

static void a_reused_process_id_is_another_process(void **state)
{
    struct lease_holder holder = self();

    (void)state;
    snprintf(strrchr(holder.instance, ' '), 4, " 1");
    assert_true(process_is_dead(holder.instance));
}

static void nothing_is_said_about_other_machines(void **state)
{
    (void)state;
    assert_false(process_is_dead("db2 00000000-0000-0000-0000-000000000000/4026531836 1 1"));
    assert_false(process_is_dead("db2 unknown 1 1"));
    assert_false(process_is_dead(""));
    assert_false(process_is_dead("edited by hand"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_process_is_not_dead),
        cmocka_unit_test(a_process_that_ended_here_is_dead),
        cmocka_unit_test(people_read_host_and_process_id),
        cmocka_unit_test(a_reused_process_id_is_another_process),
        cmocka_unit_test(nothing_is_said_about_other_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
