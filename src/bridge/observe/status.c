#include "bridge/observe/status.h"

#include <stdlib.h>

void bridge_status_release(struct bridge_status *status)
{
    free(status->queues);
    *status = (struct bridge_status){ 0 };
}
