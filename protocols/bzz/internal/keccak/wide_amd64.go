package keccak

import "golang.org/x/sys/cpu"

// width is how many messages this processor hashes at once: 8, 4 or 1. Tests reduce it.
var width = func() int {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ:
		return 8
	case cpu.X86.HasAVX2:
		return 4
	}
	return 1
}()

// blocks8 hashes 8 blocks of 64 bytes at src, behind each of which the word after and the end of the padding are added,
// to 8 hashes at dst. They may be the same memory.
//
//go:noescape
func blocks8(dst *[8 * Size]byte, src *[8 * BlockSize]byte, after uint64)

// blocks4 does the same with 4.
//
//go:noescape
func blocks4(dst *[4 * Size]byte, src *[4 * BlockSize]byte, after uint64)
