#include "amqp/target.h"

#include "base/file_mode.h"
#include "base/slice.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Everything that can be wrong without a broker is found here, because nobody else says it well:
 * rabbitmq-c reports an unreadable key file as "TLS failed", and a broker calls a missing password
 * "access refused". The password is read anew for each connection, so a changed secret needs no
 * restart. It is never part of an error, and it is overwritten when it is released.
 */

enum { PASSWORD_MAX_BYTES = 4096 };

static bool is_open_to_all(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
           file_mode_readers(status.st_mode) == FILE_READ_BY_EVERYBODY;
}

/* Does not hang on a pipe that nobody writes to; that reads as empty. */
static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* Reads up to size bytes. Returns how many, or -1 with errno. */
static ssize_t read_whole(const char *path, char *out, size_t size, bool *open_to_all)
{
    int fd = open_file(path);
    size_t len = 0;
    ssize_t got = 0;
    int cause;

    if (fd < 0)
        return -1;
    *open_to_all = is_open_to_all(fd);
    while (len < size &&
           ((got = read(fd, out + len, size - len)) > 0 || (got < 0 && errno == EINTR)))
        len += got > 0 ? (size_t)got : 0;
    cause = errno;
    close(fd);
    errno = cause;
    return got < 0 ? -1 : (ssize_t)len;
}

static int bad_password(struct error *err, const char *path, const char *why)
{
    error_set(err, ERROR_CONFIG, "cannot use the broker's password file", path, "%s", why);
    return error_hint(
        err,
        "amqp.password_file holds the password on one line, and kopru must be allowed to read it");
}

/* A line ending at the end is not part of the password, nor is a byte order mark at the start:
   editors and echo put them there. */
static int read_password(char **out, const char *path, struct error *err)
{
    static const char mark[] = "\xEF\xBB\xBF";
    char text[sizeof(mark) + PASSWORD_MAX_BYTES];
    const char *password = text;
    bool open_to_all = false;
    ssize_t len = read_whole(path, text, sizeof(text), &open_to_all);
    int result = -1;

    if (len < 0)
        return bad_password(err, path, strerror(errno));
    if (open_to_all) {
        bad_password(err, path, "every user of this machine may read it");
        error_hint(err, "run: chmod 600 %s (or 640, with kopru's group)", path);
        goto out;
    }
    if (len >= (ssize_t)strlen(mark) && memcmp(text, mark, strlen(mark)) == 0) {
        password += strlen(mark);
        len -= (ssize_t)strlen(mark);
    }
    if (len > PASSWORD_MAX_BYTES) {
        bad_password(err, path, "it is longer than 4096 bytes");
        goto out;
    }
    if (len > 0 && password[len - 1] == '\n')
        len--;
    if (len > 0 && password[len - 1] == '\r')
        len--;
    if (len == 0) {
        bad_password(err, path, "it is empty");
        goto out;
    }
    if (memchr(password, '\0', (size_t)len) != NULL ||
        memchr(password, '\n', (size_t)len) != NULL) {
        bad_password(err, path, "it holds more than one line, or a NUL byte");
        goto out;
    }
    *out = strndup(password, (size_t)len);
    result = *out == NULL ? error_no_memory(err) : 0;

out:
    explicit_bzero(text, sizeof(text));
    return result;
}

static int choose_password(struct amqp_target *target, const struct amqp_endpoint *endpoint,
                           struct error *err)
{
    if (target->uri.auth == AMQP_AUTH_EXTERNAL)
        return 0;
    if (endpoint->password_file != NULL)
        return read_password(&target->password, endpoint->password_file, err);
    if (target->uri.password == NULL) {
        error_set(err, ERROR_CONFIG, "cannot log in to the broker", target->name,
                  "there is no password for the user");
        return error_hint(
            err, "name a file with amqp.password_file, or write user:password@host in amqp.uri");
    }
    target->password = strdup(target->uri.password);
    return target->password == NULL ? error_no_memory(err) : 0;
}

/* rabbitmq-c would say only that TLS failed. */
static int check_readable(const char *path, bool is_secret, const char *what, struct error *err)
{
    bool open_to_all;
    int fd;

    if (path == NULL)
        return 0;
    fd = open_file(path);
    if (fd < 0) {
        error_set(err, ERROR_CONFIG, what, path, "%s", strerror(errno));
        return error_hint(err, "check the path, and that kopru may read the file");
    }
    open_to_all = is_secret && is_open_to_all(fd);
    close(fd);
    if (!open_to_all)
        return 0;
    error_set(err, ERROR_CONFIG, what, path, "every user of this machine may read it");
    return error_hint(err, "run: chmod 600 %s (or 640, with kopru's group)", path);
}

static const char *first_of(const char *value, const char *fallback)
{
    return value != NULL ? value : fallback;
}

static int choose_tls(struct amqp_target *target, const struct amqp_endpoint *endpoint,
                      struct error *err)
{
    const struct amqp_uri *uri = &target->uri;
    bool is_sni_off = uri->server_name != NULL && strcmp(uri->server_name, "disable") == 0;

    target->ca_file = first_of(uri->ca_file, endpoint->ca_file);
    target->cert_file = first_of(uri->cert_file, endpoint->cert_file);
    target->key_file = uri->cert_file != NULL ? uri->key_file : endpoint->key_file;
    target->verify_peer =
        uri->verify == AMQP_VERIFY_UNSET ? endpoint->verify_peer : uri->verify == AMQP_VERIFY_PEER;
    target->send_sni = !is_sni_off;
    target->tls_name = uri->server_name != NULL && !is_sni_off ? uri->server_name : uri->host;
    if (!uri->tls)
        return 0;
    if ((target->cert_file == NULL) != (target->key_file == NULL)) {
        error_set(err, ERROR_CONFIG, "cannot use the client certificate", target->name,
                  "one of certificate file and key file is missing");
        return error_hint(err, "set both amqp.cert_file and amqp.key_file");
    }
    if (check_readable(target->ca_file, false, "cannot read the CA certificates for the broker",
                       err) != 0 ||
        check_readable(target->cert_file, false,
                       "cannot read the client certificate for the broker", err) != 0 ||
        check_readable(target->key_file, true,
                       "cannot read the key of the client certificate for the broker", err) != 0)
        return -1;
    return 0;
}

static void write_name(struct amqp_target *target)
{
    const struct amqp_uri *uri = &target->uri;
    bool is_ipv6 = strchr(uri->host, ':') != NULL;
    struct slice user = utf8_cut(slice_of(uri->user), 64);
    struct slice host = utf8_cut(slice_of(uri->host), 64);
    struct slice vhost = utf8_cut(slice_of(strcmp(uri->vhost, "/") == 0 ? "%2F" : uri->vhost), 64);

    snprintf(target->name, sizeof(target->name), "%s://%.*s@%s%.*s%s:%u/%.*s",
             uri->tls ? "amqps" : "amqp", SLICE_ARG(user), is_ipv6 ? "[" : "", SLICE_ARG(host),
             is_ipv6 ? "]" : "", uri->port, SLICE_ARG(vhost));
}

int amqp_target_init(struct amqp_target *target, const struct amqp_endpoint *endpoint,
                     struct error *err)
{
    *target = (struct amqp_target){ 0 };
    if (amqp_uri_parse(&target->uri, endpoint->uri, err) != 0)
        return -1;
    write_name(target);
    target->heartbeat_s =
        target->uri.heartbeat_s > 0 ? target->uri.heartbeat_s : endpoint->heartbeat_s;
    target->connect_timeout_ms = target->uri.connect_timeout_ms > 0 ? target->uri.connect_timeout_ms
                                                                    : endpoint->connect_timeout_ms;
    target->rpc_timeout_ms = endpoint->rpc_timeout_ms;
    if (target->heartbeat_s < 1 || target->connect_timeout_ms < 1 || target->rpc_timeout_ms < 1)
        return error_set(err, ERROR_CONFIG, "cannot connect to the broker", target->name,
                         "heartbeat and timeouts must be at least 1: without them a dead broker is "
                         "never noticed");
    if (choose_tls(target, endpoint, err) != 0)
        return -1;
    return choose_password(target, endpoint, err);
}

void amqp_target_release(struct amqp_target *target)
{
    if (target->password != NULL)
        explicit_bzero(target->password, strlen(target->password));
    free(target->password);
    amqp_uri_release(&target->uri);
    *target = (struct amqp_target){ 0 };
}
