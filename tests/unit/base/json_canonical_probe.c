/* Reads one JSON text a line and prints it as json_write_canonical() writes it, or `fault`; with
   --numeric, reads one number a line and prints it as json_write_numeric() writes it. For the
   comparison with PostgreSQL. */
#include "base/json_canonical.h"
#include "base/json_read.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_OUTPUT_BYTES = 64 << 20 };

static void write_document(struct json_doc *doc, struct slice text, struct buffer *out)
{
    struct json_fault fault;

    if (json_read(doc, text, JSON_MAX_DEPTH, &fault) == 0)
        json_write_canonical(doc, doc->nodes, out);
    else
        buffer_append_text(out, "fault");
}

int main(int argc, char **argv)
{
    bool numeric = argc == 2 && strcmp(argv[1], "--numeric") == 0;
    struct json_doc doc;
    struct buffer out;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    int status = 0;

    json_doc_init(&doc);
    buffer_init(&out, MAX_OUTPUT_BYTES);
    while (status == 0 && (len = getline(&line, &size, stdin)) > 0) {
        struct slice text = { line, (size_t)len - (line[len - 1] == '\n') };

        buffer_clear(&out);
        if (numeric)
            json_write_numeric(text, &out);
        else
            write_document(&doc, text, &out);
        if (buffer_failed(&out))
            status = 70;
        else
            printf("%.*s\n", SLICE_ARG(buffer_slice(&out)));
    }
    free(line);
    buffer_release(&out);
    json_doc_release(&doc);
    return status;
}
