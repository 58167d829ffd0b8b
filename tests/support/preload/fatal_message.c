/* Ends the process as a wild read would when it hashes a body that contains the text which
   FATAL_MESSAGE names: a stand-in for a fault of kopru's that one message sets off. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef int update_function(void *context, const void *data, size_t size);

int EVP_DigestUpdate(void *context, const void *data, size_t size)
{
    update_function *next = (update_function *)dlsym(RTLD_NEXT, "EVP_DigestUpdate");
    const char *text = getenv("FATAL_MESSAGE");

    if (size > 0 && memmem(data, size, text, strlen(text)) != NULL)
        abort();
    return next(context, data, size);
}
