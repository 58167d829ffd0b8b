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

/* FNV-1a, finished by fmix64 of MurmurHash3 (Austin Appleby, in the public domain:
   https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp). FNV-1a alone hardly moves
   its upper bits for texts that differ in the last bytes, such as ids in a row; after fmix64 each
   bit depends on each byte, so any of them may be used. Anyone can construct texts that collide. */
uint64_t digest_quick(struct slice text);

#endif
