/* Makes a process resident for another gigabyte: what starts from it must not cost more for that.
   Preloaded into a node by `cargo xtask bench cold`; the variable goes, so that children stay light. */
#include <stdlib.h>
#include <string.h>

static char *volatile ballast;

__attribute__((constructor)) static void load(void) {
    const size_t bytes = (size_t)1 << 30;
    unsetenv("LD_PRELOAD");
    ballast = malloc(bytes);
    if (ballast != NULL) memset(ballast, 1, bytes);
}
