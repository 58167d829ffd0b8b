/* SHA-256 by libcrypto, which the broker's TLS brings along anyway, and a quick hash for what needs
   no secrecy. */
#ifndef KOPRU_BASE_DIGEST_H
#define KOPRU_BASE_DIGEST_H

#include "base/slice.h"

#include <stdint.h>

enum { DIGEST_BYTES = 32 };

/* Over the parts, one after another. Returns 0, or -1 when libcrypto finds no memory. */
int digest_sha256(uint8_t out[DIGEST_BYTES], const struct slice *parts, size_t part_count);

/* FNV-1a: spreads keys, and tells texts apart that nobody chose to collide. */
uint64_t digest_quick(struct slice text);

#endif
