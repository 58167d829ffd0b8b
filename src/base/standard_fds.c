#include "base/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * The kernel gives out the lowest free number. If 2 is free, the first connection becomes standard
 * error, and log lines are sent to the database or the broker.
 *
 * 0 and 1 are opened the wrong way round, because a command that has no input must not find it
 * empty, and one that cannot write its output must not report success.
 */

static const char NULL_DEVICE[] = "/dev/null";

int standard_fds_open(struct error *err)
{
    static const int access[] = {
        [STDIN_FILENO] = O_WRONLY,
        [STDOUT_FILENO] = O_RDONLY,
        [STDERR_FILENO] = O_WRONLY,
    };

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* All below fd are open, so this is the number that it gets. */
        if (open(NULL_DEVICE, access[fd]) != fd) { /* kept over exec(), as usual for these */
            error_set(err, ERROR_INTERNAL, "cannot open what replaces a closed descriptor",
                      NULL_DEVICE, "%s", strerror(errno));
            return error_hint(err, "start kopru with descriptors 0, 1 and 2 open, or make "
                                   "/dev/null where it runs");
        }
    }
    return 0;
}
