/* The revision of the sources that this program was built from. cmake/revision.cmake writes the
   file that defines it, at each build. */
#ifndef KOPRU_CMD_REVISION_H
#define KOPRU_CMD_REVISION_H

/* As git describes it: "c826f66a1b2c", with "-dirty" behind it if files had been changed. Empty if
   neither git nor the setting KOPRU_REVISION of the build knew it. */
extern const char KOPRU_REVISION[];

#endif
