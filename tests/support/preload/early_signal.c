/* Sends the signal whose number stands in the file that EARLY_SIGNAL names, when kopru opens its
   configuration file. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared {
    atomic_long number;
    atomic_long sent;
};

typedef int open_function(const char *file, int oflag, ...);

static void send_it(open_function *next)
{
    const char *path = getenv("EARLY_SIGNAL");
    int fd = path != NULL ? next(path, O_RDWR | O_CLOEXEC) : -1;
    struct shared *shared =
        fd >= 0 ? mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                : MAP_FAILED;

    if (shared == MAP_FAILED)
        _exit(99);
    close(fd);
    atomic_fetch_add(&shared->sent, 1);
    raise((int)atomic_load(&shared->number));
    munmap(shared, sizeof(*shared));
}

int open(const char *file, int oflag, ...)
{
    open_function *next = (open_function *)dlsym(RTLD_NEXT, "open");
    const char *name = strrchr(file, '/');
    mode_t mode = 0;

    if ((oflag & O_CREAT) != 0) {
        va_list arguments;

        va_start(arguments, oflag);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (name != NULL && strcmp(name, "/kopru.cfg") == 0)
        send_it(next);
    return next(file, oflag, mode);
}
