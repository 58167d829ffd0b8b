/* Ends the process by SIGABRT when it hashes a body that contains the text of FATAL_MESSAGE: a
   stand-in for a fault of kopru's that one message sets off. */
#include <dlfcn.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

typedef int update_function(EVP_MD_CTX *ctx, const void *d, size_t cnt);

int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *d, size_t cnt)
{
    update_function *next = (update_function *)dlsym(RTLD_NEXT, "EVP_DigestUpdate");
    const char *text = getenv("FATAL_MESSAGE");

    if (cnt > 0 && memmem(d, cnt, text, strlen(text)) != NULL)
        abort();
    return next(ctx, d, cnt);
}
