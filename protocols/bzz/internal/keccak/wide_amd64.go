package keccak

import "golang.org/x/sys/cpu"

// wide is whether blocks8 can be used. Tests turn it off.
var wide = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ

// blocks8 hashes 8 blocks of 64 bytes at src, behind each of which the word after and the end of the padding are added,
// to 8 hashes at dst. They may be the same memory.
//
//go:noescape
func blocks8(dst *[Lanes * Size]byte, src *[Lanes * BlockSize]byte, after uint64)
