/*
 * SHA-256 by libcrypto, which is linked anyway for the broker's TLS, and a quick hash for keys that
 * nobody attacks.
 */
#ifndef KOPRU_BASE_DIGEST_H
#define KOPRU_BASE_DIGEST_H

#include "base/slice.h"

#include <stdint.h>

enum { DIGEST_BYTES = 32 };

/* Hashes the parts as if they were one text. Returns 0, or -1 when libcrypto finds no memory. */
int digest_sha256(uint8_t out[DIGEST_BYTES], const struct slice *parts, size_t part_count);

/* FNV-1a. It spreads keys evenly, but anyone can construct texts that collide. */
uint64_t digest_quick(struct slice text);

#endif
