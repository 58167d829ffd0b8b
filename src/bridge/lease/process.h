/*
 * The identity of a process in kopru.queues: enough to prove that a holder died on this very
 * machine, so that a restart need not wait until its lease expires.
 *
 * A living holder must never be taken for dead, so that a process was not found is no proof. The
 * system hides the processes of other users (hidepid, ProtectProc of systemd), refuses a descriptor
 * for want of one, counts ids anew in each process-id namespace and time anew in each time
 * namespace, and shows in /proc what the namespace sees for which it was mounted. A holder whose
 * death is not proven keeps its lease until that expires.
 */
#ifndef KOPRU_BRIDGE_LEASE_PROCESS_H
#define KOPRU_BRIDGE_LEASE_PROCESS_H

#include "model/lease.h"

/* This process. The instance is its host, boot, process-id and time namespace, process id, and
   start time; what the system does not tell is `unknown` or 0, and then proves nothing. */
void process_identify(struct lease_holder *self);

/*
 * True only if this is proven: the process of that instance ran on this host, in this boot and
 * these namespaces, and
 *
 *   - the kernel has no process with its id (ESRCH; EPERM means that there is one), or
 *   - /proc/PID/stat was read, and tells of a process that began at another time, or that all
 *     threads of the process have ended: a zombie, which in a container perhaps nobody ever
 *     waits for.
 */
bool process_is_dead(const char *instance);

#endif
