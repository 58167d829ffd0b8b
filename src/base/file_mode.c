#include "base/file_mode.h"

#include <sys/stat.h>

enum file_readers file_mode_readers(mode_t mode)
{
    if ((mode & S_IROTH) != 0)
        return FILE_READ_BY_EVERYBODY;
    return (mode & (S_IRWXG | S_IRWXO)) != 0 ? FILE_READ_BY_SOME : FILE_READ_BY_OWNER;
}
