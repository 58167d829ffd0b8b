#include "bridge/lease/process.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a table of descriptors that is full when one file is opened ---- */

static const char *not_opened = "";

FILE *__real_fopen(const char *path, const char *modes); /* NOLINT(bugprone-reserved-identifier) */
FILE *__wrap_fopen(const char *path, const char *modes); /* NOLINT(bugprone-reserved-identifier) */

FILE *__wrap_fopen(const char *path, const char *modes)
{
    if (strcmp(path, not_opened) != 0)
        return __real_fopen(path, modes);
    errno = EMFILE;
    return NULL;
}

/* ---- processes ---- */

/* A check in a process of its own, which may change its namespaces. It exits with one of these. */
enum { PASSED, FAILED, NOT_HERE };

struct process {
    pid_t pid;
    struct lease_holder holder;
    int channel; /* closing it lets the process end */
};

static struct lease_holder self(void)
{
    struct lease_holder holder;

    process_identify(&holder);
    return holder;
}

/* A process that identifies itself, then runs `live` and ends with it. */
static struct process start(void (*live)(int channel))
{
    struct process process = { 0 };
    int told[2];
    int held[2];

    if (pipe(told) != 0 || pipe(held) != 0)
        abort();
    process.pid = fork();
    if (process.pid < 0)
        abort();
    if (process.pid == 0) {
        struct lease_holder holder = self();

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(held[1]);
        if (write(told[1], &holder, sizeof(holder)) == sizeof(holder))
            live(held[0]);
        _exit(0);
    }
    close(told[1]);
    close(held[0]);
    if (read(told[0], &process.holder, sizeof(process.holder)) != sizeof(process.holder))
        abort();
    close(told[0]);
    process.channel = held[1];
    return process;
}

static void live_until_told(int channel)
{
    char byte;

    while (read(channel, &byte, 1) > 0)
        ;
}

static void end(const struct process *process)
{
    close(process->channel);
    if (waitpid(process->pid, NULL, 0) != process->pid)
        abort();
}

/* Runs the check with the instance of a process that lives here, in another process; then that it
   sees the death. Skips the test where the system does not let the check take place. */
static void check_elsewhere(int (*check)(const char *instance))
{
    struct process other = start(live_until_told);
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(check(other.holder.instance));
    assert_int_equal(waitpid(child, &status, 0), child);
    end(&other);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NOT_HERE)
        skip();
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

/* Runs the check in the first process of a namespace that only children of its maker are in. */
static int in_first_child(int (*check)(const char *instance), const char *instance)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(check(instance));
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

/* ---- what is no proof, and what is ---- */

static void a_running_process_is_not_dead(void **state)
{
    struct process other = start(live_until_told);

    (void)state;
    assert_false(process_is_dead(self().instance));
    assert_false(process_is_dead(other.holder.instance));
    end(&other);
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

static void end_at_once(int channel)
{
    (void)channel;
}

static void a_process_that_ended_here_is_dead(void **state)
{
    struct process other = start(end_at_once);

    (void)state;
    assert_int_equal(waitid(P_PID, (id_t)other.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
    assert_true(strlen(other.holder.instance) > 0);
    assert_true(process_is_dead(other.holder.instance)); /* also before its parent took notice */
    end(&other);
    assert_true(process_is_dead(other.holder.instance));
}

static void *live_in_a_thread(void *channel)
{
    live_until_told(*(int *)channel);
    _exit(0);
}

static bool is_zombie(pid_t pid)
{
    char path[64];
    char state = '?';
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
    fclose(file);
    return state == 'Z';
}

static void lose_the_first_thread(int channel)
{
    static int kept;
    pthread_t thread;

    kept = channel;
    if (pthread_create(&thread, NULL, live_in_a_thread, &kept) == 0)
        pthread_exit(NULL);
}

/* It looks like a zombie, and still holds its sockets. */
static void a_process_without_its_first_thread_is_not_dead(void **state)
{
    struct process other = start(lose_the_first_thread);

    (void)state;
    while (!is_zombie(other.pid))
        sched_yield();
    assert_false(process_is_dead(other.holder.instance));
    end(&other);
    assert_true(process_is_dead(other.holder.instance));
}

static void a_reused_process_id_is_another_process(void **state)
{
    struct lease_holder holder = self();

    (void)state;
    snprintf(strrchr(holder.instance, ' '), 4, " 1");
    assert_true(process_is_dead(holder.instance));
}

/* Its own file could not be read when it identified itself. */
static void a_start_that_is_not_known_is_no_other_start(void **state)
{
    struct lease_holder holder;

    (void)state;
    not_opened = "/proc/self/stat";
    process_identify(&holder);
    not_opened = "";
    assert_string_equal(strrchr(holder.instance, ' '), " 0");
    assert_false(process_is_dead(holder.instance));
}

/* One descriptor too few, at the wrong moment. */
static void a_file_that_cannot_be_opened_is_no_proof(void **state)
{
    struct process other = start(live_until_told);
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)other.pid);
    not_opened = path;
    assert_false(process_is_dead(other.holder.instance));
    not_opened = "/proc/sys/kernel/random/boot_id";
    assert_false(process_is_dead(other.holder.instance));
    not_opened = "";
    end(&other);
    assert_true(process_is_dead(other.holder.instance));
}

static int sees_a_hidden_process_alive(const char *instance)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("proc", "/proc", "proc", 0, "hidepid=2") != 0 || setgid(65534) != 0 ||
        setuid(65534) != 0)
        return NOT_HERE;
    return process_is_dead(instance) ? FAILED : PASSED;
}

static void a_process_that_is_hidden_is_not_dead(void **state)
{
    (void)state;
    check_elsewhere(sees_a_hidden_process_alive);
}

static int without_proc(const char *instance)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) != 0)
        return NOT_HERE;
    return process_is_dead(instance) || process_is_dead(self().instance) ? FAILED : PASSED;
}

static void nothing_is_said_without_proc(void **state)
{
    (void)state;
    check_elsewhere(without_proc);
}

/* The first process of a new namespace, whose /proc is the one of the namespace around it. There
   the id of a neighbour is that of another process, or of none. */
static int believes_only_its_own_proc(const char *instance)
{
    struct process neighbour = start(live_until_told);
    bool dead = process_is_dead(neighbour.holder.instance);

    end(&neighbour);
    return dead || process_is_dead(instance) || !process_is_dead(neighbour.holder.instance)
               ? FAILED
               : PASSED;
}

static int in_another_pid_namespace(const char *instance)
{
    return unshare(CLONE_NEWPID) != 0 ? NOT_HERE
                                      : in_first_child(believes_only_its_own_proc, instance);
}

static void the_ids_of_another_namespace_say_nothing(void **state)
{
    (void)state;
    check_elsewhere(in_another_pid_namespace);
}

static int is_not_dead(const char *instance)
{
    return process_is_dead(instance) ? FAILED : PASSED;
}

/* All processes began 1000 seconds later there. */
static int in_another_time_namespace(const char *instance)
{
    static const char offset[] = "boottime 1000 0\n";
    FILE *file;

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
    if (unshare(CLONE_NEWTIME) != 0)
        return NOT_HERE;
    file = fopen("/proc/self/timens_offsets", "we");
    if (file == NULL || fputs(offset, file) < 0 || fclose(file) != 0)
        return NOT_HERE;
    return in_first_child(is_not_dead, instance);
}

static void the_starts_of_another_time_namespace_say_nothing(void **state)
{
    (void)state;
    check_elsewhere(in_another_time_namespace);
}

/* A copy of a machine that ran has its boot and its namespaces. */
static int on_a_copy_of_the_machine(const char *instance)
{
    static const char name[] = "copy";
    struct lease_holder gone = self();

    (void)instance;
    if (unshare(CLONE_NEWUTS) != 0 || sethostname(name, strlen(name)) != 0)
        return NOT_HERE;
    snprintf(strrchr(gone.instance, ' '), 4, " 1");
    return is_not_dead(gone.instance);
}

static void nothing_is_said_about_another_host(void **state)
{
    (void)state;
    check_elsewhere(on_a_copy_of_the_machine);
}

static void nothing_is_said_about_other_machines(void **state)
{
    char host[65];
    char old[192];

    (void)state;
    assert_false(process_is_dead("db2 00000000-0000-0000-0000-000000000000/4026531836 1 1"));
    assert_false(process_is_dead("db2 unknown 1 1"));
    assert_false(process_is_dead(""));
    assert_false(process_is_dead("edited by hand"));
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    snprintf(old, sizeof(old), "%s unknown %d 1", host, INT_MAX);
    assert_false(process_is_dead(old));
}

/* This place, with that at the end. */
static const char *with_id(const char *id_and_start)
{
    static struct lease_holder holder;
    char *end_of_place;

    holder = self();
    *strrchr(holder.instance, ' ') = '\0';
    end_of_place = strrchr(holder.instance, ' ');
    snprintf(end_of_place, 64, " %s", id_and_start);
    return holder.instance;
}

static void what_is_no_process_id_says_nothing(void **state)
{
    (void)state;
    assert_true(process_is_dead(with_id("2147483647 1")));
    assert_false(process_is_dead(with_id("0 1")));
    assert_false(process_is_dead(with_id("-2147483647 1")));
    assert_false(process_is_dead(with_id("6442450943 1"))); /* 2147483647 of the lower 32 bits */
    assert_false(process_is_dead(with_id("2147483647")));
    assert_false(process_is_dead(with_id("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_process_is_not_dead),
        cmocka_unit_test(a_process_that_ended_here_is_dead),
        cmocka_unit_test(a_process_without_its_first_thread_is_not_dead),
        cmocka_unit_test(people_read_host_and_process_id),
        cmocka_unit_test(a_reused_process_id_is_another_process),
        cmocka_unit_test(a_start_that_is_not_known_is_no_other_start),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_no_proof),
        cmocka_unit_test(a_process_that_is_hidden_is_not_dead),
        cmocka_unit_test(nothing_is_said_without_proc),
        cmocka_unit_test(the_ids_of_another_namespace_say_nothing),
        cmocka_unit_test(the_starts_of_another_time_namespace_say_nothing),
        cmocka_unit_test(nothing_is_said_about_another_host),
        cmocka_unit_test(nothing_is_said_about_other_machines),
        cmocka_unit_test(what_is_no_process_id_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
