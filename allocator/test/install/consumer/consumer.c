/* consumer.c - a C program that links hakmem: prints the file its malloc comes from, or fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <hakmem/hakmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  Dl_info info;
  char json[1 << 14];
  void *block = malloc(100);
  /* What the C library allocates itself must be hakmem's too; usable_size aborts on any other. */
  char *copy = strdup("allocated by the C library");
  if (block == NULL || hakmem_usable_size(block) < 100 || hakmem_usable_size(copy) < 27) return 2;
  if (hakmem_stats_json(json, sizeof json) == 0 || json[0] != '{') return 3;
  if (strncmp(hakmem_version(), HAKMEM_VERSION, strlen(HAKMEM_VERSION)) != 0) return 4;
  hakmem_free(block);
  free(copy);
  if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) == 0) return 5;
  printf("%s\n", info.dli_fname);
  return 0;
}
