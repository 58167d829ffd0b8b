#include "bridge/holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_running_process_is_not_dead(void **state)
{
    char self[256];

    (void)state;
    holder_name_self(self, sizeof(self));
    assert_false(holder_is_dead(self));
}

static void a_process_that_ended_here_is_dead(void **state)
{
    char name[256] = "";
    int channel[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(channel), 0);
    child = fork();
    if (child == 0) {
        holder_name_self(name, sizeof(name));
        if (write(channel[1], name, sizeof(name)) != sizeof(name))
            _exit(1);
        _exit(0);
    }
    assert_int_equal(read(channel[0], name, sizeof(name)), sizeof(name));
    assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
    assert_true(strlen(name) > 0);
    assert_true(holder_is_dead(name)); /* also before its parent took notice */
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(channel[0]);
    close(channel[1]);
    assert_true(holder_is_dead(name));
}

static void what_a_holder_says_is_not_its_name(void **state)
{
    static const enum holder_word words[] = { HOLDER_SILENT, HOLDER_CONSUMING, HOLDER_LOST };
    char self[200];
    char said[256];

    (void)state;
    holder_name_self(self, sizeof(self));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        holder_say(said, sizeof(said), self, words[i]);
        assert_int_equal(holder_said(said), words[i]);
        assert_true(holder_is(said, self));
        assert_false(holder_is_dead(said));
    }
    assert_false(holder_is("elsewhere boot/1 1 1 consuming", self));
    snprintf(said, sizeof(said), "%s0", self);
    assert_false(holder_is(said, self));
    assert_int_equal(holder_said(""), HOLDER_SILENT);
    assert_int_equal(holder_said("lost"), HOLDER_SILENT);
}

static void a_reused_process_id_is_another_process(void **state)
{
    char self[256];

    (void)state;
    holder_name_self(self, sizeof(self));
    snprintf(strrchr(self, ' '), 4, " 1");
    assert_true(holder_is_dead(self));
}

static void nothing_is_said_about_other_machines(void **state)
{
    (void)state;
    assert_false(holder_is_dead("db2 00000000-0000-0000-0000-000000000000/4026531836 1 1"));
    assert_false(holder_is_dead("db2 unknown 1 1"));
    assert_false(holder_is_dead(""));
    assert_false(holder_is_dead("edited by hand"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_process_is_not_dead),
        cmocka_unit_test(a_process_that_ended_here_is_dead),
        cmocka_unit_test(what_a_holder_says_is_not_its_name),
        cmocka_unit_test(a_reused_process_id_is_another_process),
        cmocka_unit_test(nothing_is_said_about_other_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
