/* forks.c - a C program that forks, with a library whose fork handlers allocate (handlers.c). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int handlers_called(void);

int main(void) {
  alarm(30); /* a handler that waits for a lock that its own thread holds waits for ever */
  for (int round = 0; round < 3; ++round) {
    const pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) _exit(handlers_called());
    int status = 0;
    waitpid(child, &status, 0);
    printf("child: %d handlers, parent: %d\n", WEXITSTATUS(status), handlers_called());
  }
  return 0;
}
