#include "cmd/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024 };

static int input_error(struct error *err, const char *what, const char *subject, int number)
{
    bool denied = number == EACCES || number == EPERM;

    error_set(err, denied ? ERROR_PERMISSION : ERROR_NO_INPUT, what, subject, "%s",
              strerror(number));
    return error_hint(err, denied ? "run this as a user who may read it"
                                  : "give the path of a file, or - for the standard input");
}

static int read_all(int fd, const char *subject, struct buffer *out, struct error *err)
{
    char chunk[CHUNK_BYTES];

    while (out->len < out->max_bytes) {
        size_t room = out->max_bytes - out->len;
        ssize_t got = read(fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk));

        if (got == 0)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return input_error(err, "cannot read the input", subject, errno);
        buffer_append(out, chunk, (size_t)got);
        if (buffer_failed(out))
            return error_no_memory(err);
    }
    return 0;
}

int input_read(const char *path, struct buffer *out, struct error *err)
{
    int fd;
    int result;

    if (path == NULL || strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, "standard input", out, err);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return input_error(err, "cannot open the input", path, errno);
    result = read_all(fd, path, out, err);
    close(fd);
    return result;
}
