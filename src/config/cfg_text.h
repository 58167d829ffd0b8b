/*
 * Checks the text of one libconfig file, before libconfig reads it, for what libconfig would read
 * wrongly without a word: a string or comment that is never closed, a NUL, an integer that does not
 * fit, and what the releases 1.5 and 1.7 read differently. Everything else that is wrong libconfig
 * reports itself. The text is never changed.
 *
 *     struct cfg_text text;
 *     struct slice name;
 *
 *     cfg_text_init(&text, path, contents, is_included, &problems);
 *     while (cfg_text_next_include(&text, &name))
 *         remember(name, text.line);
 *     if (text.failed)
 *         return -1;
 */
#ifndef KOPRU_CONFIG_CFG_TEXT_H
#define KOPRU_CONFIG_CFG_TEXT_H

#include "base/error.h"
#include "base/slice.h"

struct cfg_text {
    const char *path; /* for the messages */
    const char *at;   /* what is not checked yet */
    unsigned line;
    bool at_line_start;
    bool is_included;
    bool ends_in_comment; /* without a line break after it, which libconfig 1.5 would refuse */
    bool failed;
    struct error_list *problems;
};

/* A NUL byte must follow the contents; path, contents and problems must outlive the check. */
void cfg_text_init(struct cfg_text *text, const char *path, struct slice contents, bool is_included,
                   struct error_list *problems);

/* Checks up to the next `@include "name"` in line text->line, or to the end, and adds a problem for
   everything that is wrong. Returns whether there is an include; its name belongs to the contents,
   is UTF-8 without control characters and not absolute. */
bool cfg_text_next_include(struct cfg_text *text, struct slice *name);

#endif
