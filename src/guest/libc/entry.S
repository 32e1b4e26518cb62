# Where control enters and how it jumps: the first instruction, a new task's first instruction, setjmp and longjmp.

	.text
	.global _start
_start:                             # sp points at argc, as the kernel left it
	.option push
	.option norelax
	lla	gp, __global_pointer$
	.option pop
	mv	a0, sp
	lla	a1, _DYNAMIC            # 0 in a static program that is not position independent
	.weak	_DYNAMIC
	.hidden	_DYNAMIC
	lla	a2, __ehdr_start        # where the program lies, found without reading memory
	andi	sp, sp, -16
	li	fp, 0
	tail	start_program

# int clone(function a0, stack a1, flags a2, argument a3, parent_tid a4, tls a5, child_tid a6)
	.global clone
clone:
	andi	a1, a1, -16
	addi	a1, a1, -16
	sd	a0, 0(a1)               # the child finds its function and argument on its own stack
	sd	a3, 8(a1)
	mv	a0, a2
	mv	a2, a4
	mv	a3, a5
	mv	a4, a6
	li	a7, 220
	ecall
	beqz	a0, 1f
	tail	clone_result
1:	ld	a1, 0(sp)
	ld	a0, 8(sp)
	jalr	a1
	li	a7, 93                  # exit: this task only
	ecall

	.global setjmp
setjmp:
	sd	ra, 0(a0)
	sd	sp, 8(a0)
	sd	s0, 16(a0)
	sd	s1, 24(a0)
	sd	s2, 32(a0)
	sd	s3, 40(a0)
	sd	s4, 48(a0)
	sd	s5, 56(a0)
	sd	s6, 64(a0)
	sd	s7, 72(a0)
	sd	s8, 80(a0)
	sd	s9, 88(a0)
	sd	s10, 96(a0)
	sd	s11, 104(a0)
	fsd	fs0, 112(a0)
	fsd	fs1, 120(a0)
	fsd	fs2, 128(a0)
	fsd	fs3, 136(a0)
	fsd	fs4, 144(a0)
	fsd	fs5, 152(a0)
	fsd	fs6, 160(a0)
	fsd	fs7, 168(a0)
	fsd	fs8, 176(a0)
	fsd	fs9, 184(a0)
	fsd	fs10, 192(a0)
	fsd	fs11, 200(a0)
	li	a0, 0
	ret

	.global longjmp
longjmp:
	ld	ra, 0(a0)
	ld	sp, 8(a0)
	ld	s0, 16(a0)
	ld	s1, 24(a0)
	ld	s2, 32(a0)
	ld	s3, 40(a0)
	ld	s4, 48(a0)
	ld	s5, 56(a0)
	ld	s6, 64(a0)
	ld	s7, 72(a0)
	ld	s8, 80(a0)
	ld	s9, 88(a0)
	ld	s10, 96(a0)
	ld	s11, 104(a0)
	fld	fs0, 112(a0)
	fld	fs1, 120(a0)
	fld	fs2, 128(a0)
	fld	fs3, 136(a0)
	fld	fs4, 144(a0)
	fld	fs5, 152(a0)
	fld	fs6, 160(a0)
	fld	fs7, 168(a0)
	fld	fs8, 176(a0)
	fld	fs9, 184(a0)
	fld	fs10, 192(a0)
	fld	fs11, 200(a0)
	mv	a0, a1
	bnez	a0, 1f
	li	a0, 1
1:	ret

	.section .note.GNU-stack, "", @progbits
