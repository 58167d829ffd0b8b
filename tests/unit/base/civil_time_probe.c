/* Reads one timestamp a line, prints what civil_read_timestamp() makes of it: the instant in
   microseconds since 2000-01-01 UTC, the civil date of that instant in the zone as YYYY-MM-DD, and
   the instant as text; or `misfit`. For the comparison with PostgreSQL. */
#include "base/civil_time.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct error err;
    struct buffer out;
    char line[256];

    if (argc != 2 || civil_zone_set(argv[1], &err) != 0) {
        fputs("usage: civil_time_probe ZONE\n", stderr);
        return 64;
    }
    buffer_init(&out, 1024);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct slice text = { line, strcspn(line, "\n") };
        struct civil_moment moment;

        if (!civil_read_timestamp(text, &moment)) {
            puts("misfit");
            continue;
        }
        buffer_clear(&out);
        civil_write_date(civil_date_of(moment.instant_pg_us), &out);
        buffer_append_byte(&out, ' ');
        civil_write_instant(moment.instant_pg_us, &out);
        printf("%" PRId64 " %.*s\n", moment.instant_pg_us, SLICE_ARG(buffer_slice(&out)));
    }
    buffer_release(&out);
    return 0;
}
