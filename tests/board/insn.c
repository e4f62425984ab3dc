/* QEMU plugin that counts guest instructions. Each getppid() of the guest, which costs nothing and changes nothing, is
 * a mark: the count so far goes to the file $INSN_LOG, one number a line, so that one process can count several things.
 * QEMU's own header is not needed; what is declared here is the part of its interface that has not changed.
 * Count single-threaded code only: the counter is one for all threads and not atomic. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define GETPPID_AARCH64 173

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum { CB_NO_REGS = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned int, void *), int, void *);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, void (*)(plugin_id, unsigned int, int64_t, uint64_t, uint64_t,
                                                                    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

__attribute__((visibility("default"))) int qemu_plugin_version = VERSION;
static uint64_t count;
static FILE *marks;

static void executed(unsigned int cpu, void *instructions)
{
	(void)cpu;
	count += (uintptr_t)instructions;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(block, executed, CB_NO_REGS, (void *)qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned int cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		   uint64_t f, uint64_t g, uint64_t h)
{
	(void)id, (void)cpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
	if (marks && number == GETPPID_AARCH64) {
		fprintf(marks, "%llu\n", (unsigned long long)count);
		fflush(marks);
	}
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info, (void)argc, (void)argv;
	const char *path = getenv("INSN_LOG");

	if (path)
		marks = fopen(path, "w");
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_vcpu_syscall_cb(id, called);
	return 0;
}
