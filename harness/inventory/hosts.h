/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of many hosts in short: n[1-3,7],login. Slurm's notation, which scontrol show hostnames expands, too. */
#ifndef TOISE_INVENTORY_HOSTS_H
#define TOISE_INVENTORY_HOSTS_H

#include <jansson.h>

/* The names of an array, each once; a new string, freed by the caller. NULL: out of memory. */
char *inventory_hosts(const json_t *names);

/* The other way: "n[01-03,7],login" as an array of names, a new reference. NULL: brackets or numbers that do not make
 * sense, several brackets in a name, or over a million names. */
json_t *inventory_hosts_expand(const char *text);

#endif
