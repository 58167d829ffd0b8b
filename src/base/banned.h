/*
 * Functions that may not be called: the compiler refuses their names. It is put before every file
 * of src by the build, and includes first what declares them.
 *
 *   without a bound       strcpy strcat stpcpy sprintf vsprintf     use text_set(), text_append()
 * or struct buffer bounded but silent    strncpy strncat                           the same: they
 * cut without a word, or leave out the NUL one answer for all    strtok asctime ctime gmtime
 * localtime     other threads overwrite it: use the _r forms
 */
#ifndef KOPRU_BASE_BANNED_H
#define KOPRU_BASE_BANNED_H

#include <stdio.h>
#include <string.h>
#include <time.h>

/* A name that a library uses in its headers, as OpenSSL does rand, cannot be here. */
#pragma GCC poison strcpy strcat stpcpy sprintf vsprintf strncpy strncat
#pragma GCC poison strtok asctime ctime gmtime localtime

#endif
