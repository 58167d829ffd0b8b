#include "base/digest.h"

#include <openssl/evp.h>
#include <pthread.h>

/* Fetched once. With EVP_sha256() libcrypto looks the algorithm up at each use, which costs more
   than hashing a short message. */
static EVP_MD *sha256;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static const EVP_MD *get_sha256(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fetch_sha256);
    return sha256 != NULL ? sha256 : EVP_sha256();
}

int digest_sha256(uint8_t out[DIGEST_BYTES], const struct slice *parts, size_t part_count)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context != NULL && EVP_DigestInit_ex(context, get_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < part_count; i++)
        ok = EVP_DigestUpdate(context, parts[i].data, parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok ? 0 : -1;
}

static uint64_t fmix64(uint64_t hash)
{
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}

uint64_t digest_quick(struct slice text)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
    return fmix64(hash);
}
