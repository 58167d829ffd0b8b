/*
 * Whether systemd's journal reads a descriptor. systemd says so in JOURNAL_STREAM, with device and
 * inode of the socket that it made (systemd.exec(5)). A child inherits the variable even if its
 * output goes elsewhere, so the descriptor itself has to be compared with it.
 */
#ifndef KOPRU_BASE_JOURNAL_H
#define KOPRU_BASE_JOURNAL_H

#include <stdbool.h>

bool journal_reads(int fd);

#endif
