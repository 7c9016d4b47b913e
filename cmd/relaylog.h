#ifndef BB_CMD_RELAYLOG_H
#define BB_CMD_RELAYLOG_H

#include "tool.h"

/* A line of a log on standard error; lost where nobody takes it in time. */
void relaylog(const struct tool *t, const char *words);

#endif
