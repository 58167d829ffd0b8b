#include "base/file_mode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Every mode that a file can have, against the rule in the header. */
static void every_mode(void **state)
{
    (void)state;
    for (mode_t mode = 0; mode <= 07777; mode++) {
        enum file_readers readers = file_mode_readers(S_IFREG | mode);

        assert_int_equal(readers == FILE_READ_BY_EVERYBODY, (mode & 04) != 0);
        assert_int_equal(readers == FILE_READ_BY_OWNER, (mode & 077) == 0);
    }
}

static void modes_of_secrets(void **state)
{
    static const struct {
        mode_t mode;
        enum file_readers readers;
    } cases[] = {
        { 0600, FILE_READ_BY_OWNER },     { 0400, FILE_READ_BY_OWNER },
        { 0000, FILE_READ_BY_OWNER },     { 04700, FILE_READ_BY_OWNER },
        { 0640, FILE_READ_BY_SOME },      { 0620, FILE_READ_BY_SOME },
        { 0610, FILE_READ_BY_SOME },      { 0602, FILE_READ_BY_SOME },
        { 0601, FILE_READ_BY_SOME },      { 0644, FILE_READ_BY_EVERYBODY },
        { 0604, FILE_READ_BY_EVERYBODY }, { 0666, FILE_READ_BY_EVERYBODY },
        { 0004, FILE_READ_BY_EVERYBODY }, { 0777, FILE_READ_BY_EVERYBODY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(file_mode_readers(S_IFREG | cases[i].mode), cases[i].readers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode),
        cmocka_unit_test(modes_of_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
