/*
 * Input of commands: a file or the standard input, read into memory up to a maximum.
 */
#ifndef KOPRU_CMD_INPUT_H
#define KOPRU_CMD_INPUT_H

#include "base/buffer.h"
#include "base/error.h"

/* Appends the content of the file at path to out; NULL or "-" is the standard input. Reads at most
   out->max_bytes in all and leaves the rest unread: a caller that must know whether there was more
   gives the buffer one byte more than is allowed. Returns 0, or -1 with err of kind ERROR_NO_INPUT
   (it cannot be read), ERROR_PERMISSION or ERROR_INTERNAL (no memory). */
int input_read(const char *path, struct buffer *out, struct error *err);

#endif
