#include "config/settings_reader.h"

#include "base/file_mode.h"
#include "config/password.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The table of options says what one value may be. Here stands what depends on several of them or
 * on the machine: numbers that must be in order, options that need or exclude each other, and files
 * that must be there. A value that was refused already has its default by now, and a conclusion
 * from that would be a second problem that the user did not make; so refused options are left out.
 */

/* One option must be less than another, or at most as large. */
struct order_rule {
    const char *small_group, *small_key;
    const char *large_group, *large_key;
    bool may_be_equal;
    const char *reason;
};

static const struct order_rule ORDER_RULES[] = {
    { "limits", "max_message_bytes", "limits", "max_unacknowledged_bytes", true,
      "the largest message must fit into what may be unacknowledged" },
    { "limits", "max_message_bytes", "batch", "max_bytes", true,
      "the largest message must fit into a batch" },
    { "postgres", "lock_timeout", "postgres", "statement_timeout", false,
      "waiting for a lock is a part of a statement" },
    { "postgres", "statement_timeout", "", "shutdown_timeout", false,
      "a shutdown waits for the statement that runs" },
};

static bool is_refused(const struct settings_reader *reader, const struct config_option *option)
{
    return reader->refused[option - OPTIONS];
}

static void check_order(struct settings_reader *reader, const struct order_rule *rule)
{
    const struct config_option *small = config_option_find(rule->small_group, rule->small_key);
    const struct config_option *large = config_option_find(rule->large_group, rule->large_key);
    int64_t small_value = config_option_integer(small, reader->settings);
    int64_t large_value = config_option_integer(large, reader->settings);
    struct origin origin = settings_reader_origin(reader, small);

    if (is_refused(reader, small) || is_refused(reader, large) ||
        (rule->may_be_equal ? small_value <= large_value : small_value < large_value))
        return;
    /* The problem is named where the user wrote one of the two. */
    settings_reader_problem(
        reader, cfg_exists(origin.setting) ? small : large,
        cfg_exists(origin.setting) ? origin : settings_reader_origin(reader, large), rule->reason,
        "%s%s%s (%lld) must be %s %s%s%s (%lld)", small->group, small->group[0] != '\0' ? "." : "",
        small->key, (long long)small_value, rule->may_be_equal ? "at most" : "less than",
        large->group, large->group[0] != '\0' ? "." : "", large->key, (long long)large_value);
}

/* Returns why the file cannot be used, NULL if it can. */
static const char *examine_file(const char *path, bool is_secret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    const char *why = NULL;

    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &status) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = "it is not a regular file";
    else if (is_secret && file_mode_readers(status.st_mode) == FILE_READ_BY_EVERYBODY)
        why = "everybody may read it";
    close(fd);
    return why;
}

static void check_file(struct settings_reader *reader, const char *key, const char *path,
                       bool is_secret)
{
    const struct config_option *option = config_option_find("amqp", key);
    const char *why = path != NULL ? examine_file(path, is_secret) : NULL;

    if (why != NULL)
        settings_reader_problem(reader, option, settings_reader_origin(reader, option),
                                is_secret
                                    ? "it must be readable for kopru and not for everybody: chmod "
                                      "600, or 640 with kopru's group"
                                    : "check the path and the permissions",
                                "%s: %s", path, why);
}

static void check_amqp_files(struct settings_reader *reader)
{
    const struct settings *settings = reader->settings;

    check_file(reader, "password_file", settings->amqp.password_file, true);
    check_file(reader, "ca_file", settings->amqp.ca_file, false);
    check_file(reader, "cert_file", settings->amqp.cert_file, false);
    check_file(reader, "key_file", settings->amqp.key_file, true);
}

/* A client certificate needs its key, and the reverse. */
static void check_certificate_pair(struct settings_reader *reader)
{
    const struct config_option *cert = config_option_find("amqp", "cert_file");
    const struct config_option *key = config_option_find("amqp", "key_file");
    const struct config_option *given = reader->settings->amqp.cert_file != NULL ? cert : key;

    if (is_refused(reader, cert) || is_refused(reader, key) ||
        (reader->settings->amqp.cert_file == NULL) == (reader->settings->amqp.key_file == NULL))
        return;
    settings_reader_problem(reader, given, settings_reader_origin(reader, given),
                            "give both or neither",
                            "a client certificate needs amqp.cert_file and amqp.key_file");
}

static void check_one_password(struct settings_reader *reader)
{
    const struct config_option *option = config_option_find("amqp", "password_file");
    const struct settings *settings = reader->settings;

    if (settings->amqp.password_file == NULL || settings->amqp.uri == NULL ||
        !password_in_uri(settings->amqp.uri))
        return;
    settings_reader_problem(reader, option, settings_reader_origin(reader, option),
                            "take the password out of amqp.uri",
                            "amqp.uri holds a password as well");
}

static void advise_on_tls(struct settings_reader *reader)
{
    const struct config_option *option = config_option_find("amqp", "verify_peer");
    char location[256];
    struct error err;

    if (reader->settings->amqp.verify_peer)
        return;
    error_set(
        &err, ERROR_NONE, "the broker's certificate is not checked",
        cfg_location(settings_reader_origin(reader, option).setting, location, sizeof(location)),
        "amqp.verify_peer is false");
    error_hint(&err, "give the certificate of its authority in amqp.ca_file instead");
    error_list_add(&reader->settings->advice, &err);
}

void settings_reader_check(struct settings_reader *reader)
{
    for (size_t i = 0; i < sizeof(ORDER_RULES) / sizeof(ORDER_RULES[0]); i++)
        check_order(reader, &ORDER_RULES[i]);
    check_certificate_pair(reader);
    check_one_password(reader);
    advise_on_tls(reader);
    if (reader->scope == SETTINGS_ALL)
        check_amqp_files(reader);
}
