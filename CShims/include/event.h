#ifndef CSHIMS_EVENT_H
#define CSHIMS_EVENT_H

// Glibc's module for Swift does not have eventfd(2).

// Makes a descriptor that becomes readable when something is written to it.
int dmshim_event_create(int *descriptor);

#endif
