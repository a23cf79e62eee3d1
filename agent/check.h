/*
 * `valise-agent check`: reads the configuration and every file that it names,
 * connects to nobody, changes nothing, and says what would fail or surprise.
 */
#ifndef AGENT_CHECK_H
#define AGENT_CHECK_H

/* 0 fine (perhaps with warnings), 1 a certificate has expired, 66 no such file, 71 memory is short,
 * 78 wrong. */
int agent_check_run(const char *config_path);

#endif
