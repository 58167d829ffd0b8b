/* Each test runs in a process of its own, because a thread that is stuck stays. Its standard error
   is the test's to choose, so it says what failed by its exit status, which is a line number. */
#include "base/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 20000, TEXT_BYTES = 1 << 20, PATIENCE_MS = 30000 };

#define require(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ % 250 + 1);                                                             \
    } while (0)

static char text[TEXT_BYTES];

static size_t format_notice(char *out, uint64_t count)
{
    return (size_t)snprintf(out, LOG_LINE_BYTES, "dropped %llu\n", (unsigned long long)count);
}

static void put_number(int number)
{
    char line[64];

    log_writer_put(line, (size_t)snprintf(line, sizeof(line), "line %d\n", number));
}

static void start(void)
{
    struct error err;

    require(log_writer_start(format_notice, &err) == 0);
}

/* Returns the end from which to read what is written to standard error. */
static int to_a_pipe(void)
{
    int ends[2];

    require(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    return ends[0];
}

/* Reads until what was read contains this. */
static void read_until(int fd, const char *wanted)
{
    size_t used = strlen(text);

    while (strstr(text, wanted) == NULL) {
        struct pollfd watched = { .fd = fd, .events = POLLIN };
        ssize_t got;

        require(poll(&watched, 1, PATIENCE_MS) == 1);
        got = read(fd, text + used, TEXT_BYTES - 1 - used);
        require(got > 0);
        used += (size_t)got;
        text[used] = '\0';
    }
}

static void in_child(void (*check)(void))
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        alarm(30);
        check();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        fail_msg("the child ended with %d, by signal %d", WEXITSTATUS(status), WTERMSIG(status));
}

/* Every line is there, or is counted by the notice that stands in its place. */
static void require_all_counted(int count, uint64_t dropped)
{
    uint64_t said = 0;
    uint64_t told = 0;

    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        unsigned long long number;

        if (sscanf(line, "dropped %llu", &number) == 1) {
            said += number;
            told += number;
        } else {
            require(sscanf(line, "line %llu", &number) == 1);
            require(number == told);
            told++;
        }
    }
    require(told == (uint64_t)count);
    require(said == dropped && dropped > 0);
}

static void check_a_reader_that_does_not_read(void)
{
    int fd = to_a_pipe();
    uint64_t dropped;

    start();
    for (int i = 0; i < MANY; i++)
        put_number(i);
    dropped = log_writer_dropped();
    read_until(fd, "dropped ");
    put_number(MANY);
    read_until(fd, "line 20000\n");
    require_all_counted(MANY + 1, dropped);
    log_writer_stop();
}

static void lines_are_dropped_and_counted(void **state)
{
    (void)state;
    in_child(check_a_reader_that_does_not_read);
}

static void check_the_end(void)
{
    int fd = to_a_pipe();

    start();
    for (int i = 0; i < 1000; i++)
        put_number(i);
    log_writer_stop();
    put_number(1000);
    read_until(fd, "line 999\n");
    require(strstr(text, "line 1000") == NULL);
    require(log_writer_dropped() == 1);
}

static void the_end_waits_for_what_is_written(void **state)
{
    (void)state;
    in_child(check_the_end);
}

static void check_a_reader_that_never_reads(void)
{
    to_a_pipe();
    start();
    for (int i = 0; i < MANY; i++)
        put_number(i);
    log_writer_flush(LOG_STOP_MS);
    log_writer_stop();
    exit(0); /* not _exit(), as the thread that is left behind must not matter */
}

static void the_end_does_not_wait_for_ever(void **state)
{
    (void)state;
    in_child(check_a_reader_that_never_reads);
}

/* A disk gets full in the middle of a line, and later there is room again. */
static void check_a_full_disk(void)
{
    const struct rlimit small = { 12, RLIM_INFINITY };
    const struct rlimit large = { RLIM_INFINITY, RLIM_INFINITY };
    FILE *file = tmpfile();

    require(file != NULL && dup2(fileno(file), STDERR_FILENO) == STDERR_FILENO);
    signal(SIGXFSZ, SIG_IGN);
    require(setrlimit(RLIMIT_FSIZE, &small) == 0);
    start();
    put_number(1);
    put_number(2); /* of which five bytes fit */
    put_number(3);
    log_writer_flush(LOG_STOP_MS);
    require(setrlimit(RLIMIT_FSIZE, &large) == 0);
    put_number(4);
    log_writer_stop();
    require(log_writer_dropped() == 2);
    require(fseek(file, 0, SEEK_SET) == 0);
    text[fread(text, 1, TEXT_BYTES - 1, file)] = '\0';
    require(strcmp(text, "line 1\nline \ndropped 2\nline 4\n") == 0);
}

static void a_line_that_was_broken_off_is_ended(void **state)
{
    (void)state;
    in_child(check_a_full_disk);
}

/* The open file is non-blocking, because somebody else who has it made it so. */
static void check_a_nonblocking_pipe(void)
{
    int fd = to_a_pipe();

    require(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK) == 0);
    start();
    for (int i = 0; i < 7000; i++) /* more than the pipe holds, and less than the queue */
        put_number(i);
    read_until(fd, "line 6999\n");
    require(log_writer_dropped() == 0);
    log_writer_stop();
}

static void a_nonblocking_pipe_loses_nothing(void **state)
{
    (void)state;
    in_child(check_a_nonblocking_pipe);
}

static void check_without_a_reader(void)
{
    close(to_a_pipe());
    start();
    put_number(1);
    put_number(2);
    log_writer_stop();
    require(log_writer_dropped() == 2);
}

static void nobody_at_the_other_end_is_harmless(void **state)
{
    (void)state;
    in_child(check_without_a_reader);
}

/* Before the start the caller writes. */
static void check_unstarted(void)
{
    int fd = to_a_pipe();

    log_writer_flush(LOG_STOP_MS);
    log_writer_stop();
    put_number(1);
    read_until(fd, "line 1\n");
    require(log_writer_dropped() == 0);
}

static void without_a_thread_the_caller_writes(void **state)
{
    (void)state;
    in_child(check_unstarted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_dropped_and_counted),
        cmocka_unit_test(the_end_waits_for_what_is_written),
        cmocka_unit_test(the_end_does_not_wait_for_ever),
        cmocka_unit_test(a_line_that_was_broken_off_is_ended),
        cmocka_unit_test(a_nonblocking_pipe_loses_nothing),
        cmocka_unit_test(nobody_at_the_other_end_is_harmless),
        cmocka_unit_test(without_a_thread_the_caller_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
