#include "scarce_memory.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The linker leads kopru's calls of malloc to __wrap_malloc, and calls of __real_malloc to malloc
   (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t max);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);

/* Of one thread: the work of these tests starts none. */
static _Thread_local struct {
    unsigned until; /* allocations until one fails, itself included; 0: none will */
    bool lasting;
    bool everywhere;
    bool failed;
    bool inside; /* a call of kopru's own is being served, and is counted already */
} state;

static bool fails(void)
{
    if (state.until == 0)
        return false;
    if (state.until > 1) {
        state.until--;
        return false;
    }
    state.failed = true;
    errno = ENOMEM; /* as the C library's own allocator does */
    if (!state.lasting)
        state.until = 0;
    return true;
}

bool scarce_next(struct scarce *scarce)
{
    if (scarce->over)
        return false;
    if (scarce->round > 0 && !scarce->lasting) {
        scarce->lasting = true;
    } else {
        scarce->lasting = false;
        scarce->round++;
    }
    state.until = scarce->round;
    state.lasting = scarce->lasting;
    state.everywhere = scarce->everywhere;
    state.failed = false;
    return true;
}

bool scarce_end(struct scarce *scarce)
{
    state.until = 0;
    scarce->over = !state.failed;
    return state.failed;
}

bool scarce_reaches_libraries(void)
{
    struct scarce scarce = { .everywhere = true };
    void *(*volatile allocate)(const char *) =
        (void *(*)(const char *))(void (*)(void))__real_strdup;
    void *copy;
    bool failed;

    scarce_next(&scarce);
    copy = allocate("text"); /* asks for memory inside the C library */
    failed = scarce_end(&scarce);
    free(copy);
    return failed;
}

#define SERVE(type, call)                                                                          \
    if (fails())                                                                                   \
        return NULL;                                                                               \
    state.inside = true;                                                                           \
    type served = call;                                                                            \
    state.inside = false;                                                                          \
    return served

void *__wrap_malloc(size_t size)
{
    SERVE(void *, __real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    SERVE(void *, __real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    SERVE(void *, __real_realloc(old, size));
}

char *__wrap_strdup(const char *text)
{
    SERVE(char *, __real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t max)
{
    SERVE(char *, __real_strndup(text, max));
}

#ifndef KOPRU_SANITIZED
/* The whole process allocates here, libraries included; free() stays that of the C library. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool fails_in_library(void)
{
    return state.everywhere && !state.inside && fails();
}

void *malloc(size_t size)
{
    return fails_in_library() ? NULL : __libc_malloc(size);
}

void *calloc(size_t nmemb, size_t size)
{
    return fails_in_library() ? NULL : __libc_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    return fails_in_library() ? NULL : __libc_realloc(ptr, size);
}
#endif
