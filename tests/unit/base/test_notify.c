#include "base/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[32];
static char path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/kopru-notify-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/socket", directory);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

/* A manager's socket with that name; '@' stands for the abstract namespace. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address, name[0] == '@' ? bytes : bytes + 1), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void assert_arrives(const char *name)
{
    struct notifier notifier;
    struct error err;
    char got[64] = "";
    int manager = listen_at(name);

    assert_int_equal(notify_open(&notifier, &err), 0);
    assert_true(notify_is_open(&notifier));
    assert_int_equal(notify_send(&notifier, "READY=1\nSTATUS=ok\n"), 0);
    assert_int_equal(recv(manager, got, sizeof(got) - 1, 0), 18);
    assert_string_equal(got, "READY=1\nSTATUS=ok\n");
    notify_close(&notifier);
    assert_false(notify_is_open(&notifier));
    close(manager);
}

static void words_arrive_at_a_path(void **state)
{
    (void)state;
    assert_arrives(path);
}

static void words_arrive_at_an_abstract_name(void **state)
{
    char name[80];

    (void)state;
    snprintf(name, sizeof(name), "@%s", path);
    assert_arrives(name);
}

static void without_a_manager_nothing_is_sent(void **state)
{
    struct notifier notifier;
    struct error err;

    (void)state;
    assert_int_equal(notify_open(&notifier, &err), 0);
    assert_false(notify_is_open(&notifier));
    assert_int_equal(notify_send(&notifier, "READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(notify_open(&notifier, &err), 0);
    assert_false(notify_is_open(&notifier));
    notify_close(&notifier);
}

static void a_name_that_is_none_is_an_error(void **state)
{
    static char too_long[200] = "/";
    const char *names[] = { "relative/path", "vsock:2:1", "/", "@", too_long };
    struct notifier notifier;
    struct error err;

    (void)state;
    memset(too_long + 1, 'x', sizeof(too_long) - 2);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_int_equal(notify_open(&notifier, &err), -1);
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_int_equal(notify_send(&notifier, "READY=1"), 0);
    }
}

static void a_manager_that_went_away_is_no_disaster(void **state)
{
    struct notifier notifier;
    struct error err;
    int manager = listen_at(path);

    (void)state;
    assert_int_equal(notify_open(&notifier, &err), 0);
    close(manager);
    assert_int_equal(notify_send(&notifier, "WATCHDOG=1"), -1);
    notify_close(&notifier);
}

static void a_manager_that_does_not_read_is_not_waited_for(void **state)
{
    struct notifier notifier;
    struct error err;
    int manager = listen_at(path);
    int sent = 0;

    (void)state;
    assert_int_equal(notify_open(&notifier, &err), 0);
    while (sent < 100000 && notify_send(&notifier, "WATCHDOG=1") == 0)
        sent++;
    assert_in_range(sent, 1, 99999);
    notify_close(&notifier);
    close(manager);
}

static int64_t watchdog_of(const char *us, const char *pid)
{
    struct notifier notifier;
    struct error err;
    int manager = listen_at(path);

    setenv("WATCHDOG_USEC", us, 1);
    if (pid != NULL)
        setenv("WATCHDOG_PID", pid, 1);
    else
        unsetenv("WATCHDOG_PID");
    assert_int_equal(notify_open(&notifier, &err), 0);
    notify_close(&notifier);
    close(manager);
    unlink(path);
    return notifier.watchdog_ms;
}

static void the_watchdog_is_ours_or_nobodys(void **state)
{
    char pid[32];

    (void)state;
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(watchdog_of("120000000", pid), 120000);
    assert_int_equal(watchdog_of("120000000", NULL), 120000);
    assert_int_equal(watchdog_of("1", NULL), 1);
    assert_int_equal(watchdog_of("120000000", "1"), 0);
    assert_int_equal(watchdog_of("0", NULL), 0);
    assert_int_equal(watchdog_of("nonsense", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_arrive_at_a_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_arrive_at_an_abstract_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_manager_nothing_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_is_none_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manager_that_went_away_is_no_disaster, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manager_that_does_not_read_is_not_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_watchdog_is_ours_or_nobodys, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
