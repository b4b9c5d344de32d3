/* Preloaded into User-Mode Linux 6.1, which keeps a process's extended registers in a buffer of a fixed size. Where the
 * processor has more of them (AMX), the kernel below refuses a part: "ptrace set fp regs failed", and init dies. Here
 * the whole is set; what User-Mode Linux does not know of keeps its value. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

static long (*next)(enum __ptrace_request, pid_t, void *, void *);

__attribute__((constructor)) static void find_next(void) { next = dlsym(RTLD_NEXT, "ptrace"); }

long ptrace(enum __ptrace_request request, ...) {
  static _Alignas(64) char whole[1 << 16];
  va_list rest;
  va_start(rest, request);
  pid_t pid = va_arg(rest, pid_t);
  void *set = va_arg(rest, void *), *data = va_arg(rest, void *);
  va_end(rest);

  long result = next(request, pid, set, data);
  if (request != PTRACE_SETREGSET || set != (void *)NT_X86_XSTATE || result == 0 || errno != EFAULT)
    return result;
  struct iovec *part = data, all = {whole, sizeof whole};
  result = next(PTRACE_GETREGSET, pid, set, &all);
  if (result != 0 || part->iov_len > all.iov_len)
    return -1;
  memcpy(whole, part->iov_base, part->iov_len);
  return next(PTRACE_SETREGSET, pid, set, &all);
}
