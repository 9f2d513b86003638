package keccak

import (
	"fmt"
	"strings"
)

const narrowHead = `
// func blocks4(dst *[128]byte, src *[256]byte, after uint64)
//
// The same for 4 blocks. The state is in memory, at 0(SP) in even rounds and at 800(SP) in odd ones: lane i of the 32
// bytes at 32*(x+5y) is word (x, y) of the state of block i. Requires AVX2.
TEXT ·blocks4(SB), 0, $1600-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
`

// narrower writes blocks4.
func narrower(b *strings.Builder) {
	line := func(format string, args ...any) { fmt.Fprintf(b, "\t"+format+"\n", args...) }
	b.WriteString(narrowHead)

	b.WriteString("\n\t// Absorb.\n")
	for w := 0; w < 8; w += 4 {
		for i := range 4 {
			line("VMOVDQU %d(SI), Y%d", 64*i+8*w, i)
		}
		transpose(line)
		for i := range 4 {
			line("VMOVDQU Y%d, %d(SP)", 8+i, 32*(w+i))
		}
	}
	b.WriteString("\n\t// Padding.\n")
	line("VPXOR Y0, Y0, Y0")
	for w := 9; w < 25; w++ {
		if w != 16 {
			line("VMOVDQU Y0, %d(SP)", 32*w)
		}
	}
	line("VPBROADCASTQ after+16(FP), Y1")
	line("VMOVDQU Y1, %d(SP)", 32*8)
	line("VPBROADCASTQ last<>(SB), Y1")
	line("VMOVDQU Y1, %d(SP)", 32*16)

	line("LEAQ rounds<>(SB), DX")
	line("MOVQ $12, CX")
	b.WriteString("\nrounds2:\n")
	narrowRound(b, line, 0, 800, 0)
	narrowRound(b, line, 800, 0, 8)
	line("ADDQ $16, DX")
	line("DECQ CX")
	line("JNZ rounds2")

	b.WriteString("\n\t// Squeeze.\n")
	for i := range 4 {
		line("VMOVDQU %d(SP), Y%d", 32*i, i)
	}
	transpose(line)
	for i := range 4 {
		line("VMOVDQU Y%d, %d(DI)", 8+i, 32*i)
	}
	line("VZEROUPPER")
	line("RET")
}

// transpose makes, of four words of block i in each Yi, word i of four blocks in each Y(8+i).
func transpose(line func(string, ...any)) {
	for i := range 2 {
		line("VPUNPCKLQDQ Y%d, Y%d, Y%d", 2*i+1, 2*i, 4+2*i)
		line("VPUNPCKHQDQ Y%d, Y%d, Y%d", 2*i+1, 2*i, 5+2*i)
	}
	for i := range 4 {
		half := "0x20"
		if i >= 2 {
			half = "0x31"
		}
		line("VPERM2I128 $%s, Y%d, Y%d, Y%d", half, 6+i%2, 4+i%2, 8+i)
	}
}

// narrowRound writes one round from the state at one place to the state at another.
func narrowRound(b *strings.Builder, line func(string, ...any), from, to, constant int) {
	b.WriteString("\t// theta: Y5 to Y9 are what each column changes by\n")
	for x := range 5 {
		line("VMOVDQU %d(SP), Y%d", from+32*x, x)
		for y := 1; y < 5; y++ {
			line("VPXOR %d(SP), Y%d, Y%d", from+32*(x+5*y), x, x)
		}
	}
	for x := range 5 {
		next := (x + 1) % 5
		line("VPSRLQ $63, Y%d, Y15", next)
		line("VPADDQ Y%d, Y%d, Y%d", next, next, 5+x)
		line("VPOR Y15, Y%d, Y%d", 5+x, 5+x)
		line("VPXOR Y%d, Y%d, Y%d", (x+4)%5, 5+x, 5+x)
	}
	offsets, sources := rotations()
	for y := range 5 {
		fmt.Fprintf(b, "\t// rho, pi and chi, row %d\n", y)
		for x := range 5 {
			source := sources[x+5*y]
			line("VPXOR %d(SP), Y%d, Y%d", from+32*source, 5+source%5, 10+x)
			if r := offsets[source]; r != 0 {
				line("VPSRLQ $%d, Y%d, Y15", 64-r, 10+x)
				line("VPSLLQ $%d, Y%d, Y%d", r, 10+x, 10+x)
				line("VPOR Y15, Y%d, Y%d", 10+x, 10+x)
			}
		}
		for x := range 5 {
			line("VPANDN Y%d, Y%d, Y15", 10+(x+2)%5, 10+(x+1)%5)
			line("VPXOR Y%d, Y15, Y15", 10+x)
			if x+5*y == 0 {
				line("VPBROADCASTQ %d(DX), Y0", constant)
				line("VPXOR Y0, Y15, Y15")
			}
			line("VMOVDQU Y15, %d(SP)", to+32*(x+5*y))
		}
	}
}
