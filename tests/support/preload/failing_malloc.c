/*
 * Lets one allocation of kopru fail: the one whose number stands in the file that FAILING_MALLOC
 * names, counted from 1. It counts from where kopru opens its signalfd: by then the configuration
 * has been read, which libconfig 1.5 does not survive without memory (config_init() does not look
 * at what calloc() returned), and nothing has been connected.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct shared {
    atomic_long calls;   /* so far */
    atomic_long failing; /* 0: none */
    atomic_long failed;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nmemb, size_t size);
void *__libc_realloc(void *ptr, size_t size);

static struct shared *shared;

static void open_shared(void)
{
    const char *path = getenv("FAILING_MALLOC");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped =
        fd >= 0 ? mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                : MAP_FAILED;

    if (mapped == MAP_FAILED)
        _exit(99);
    close(fd);
    shared = mapped;
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
    int (*next)(int, const sigset_t *, int) =
        (int (*)(int, const sigset_t *, int))dlsym(RTLD_NEXT, "signalfd");
    int result = next(fd, mask, flags);

    open_shared();
    return result;
}

static int fails(void)
{
    if (shared == NULL || atomic_fetch_add(&shared->calls, 1) + 1 != atomic_load(&shared->failing))
        return 0;
    atomic_fetch_add(&shared->failed, 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t nmemb, size_t size)
{
    return fails() ? NULL : __libc_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __libc_realloc(ptr, size);
}
