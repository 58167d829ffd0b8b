/*
 * Functions that may not be called: the compiler refuses their names. The build includes this file
 * before every file of src. It first includes the headers that declare the functions.
 *
 *     strcpy strcat stpcpy sprintf vsprintf    know no bound: use text_set(), text_append() or
 *                                              struct buffer
 *     strncpy strncat                          cut silently or leave out the NUL: use the same
 *     strtok asctime ctime gmtime localtime    return memory that all threads share: use the _r
 *                                              forms
 */
#ifndef KOPRU_BASE_BANNED_H
#define KOPRU_BASE_BANNED_H

#include <stdio.h>
#include <string.h>
#include <time.h>

/* A name that the headers of a library use, as OpenSSL's use rand, cannot be listed here. */
#pragma GCC poison strcpy strcat stpcpy sprintf vsprintf strncpy strncat
#pragma GCC poison strtok asctime ctime gmtime localtime

#endif
