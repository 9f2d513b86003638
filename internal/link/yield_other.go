//go:build !linux

package link

import "runtime"

// yield lets others run.
func yield() { runtime.Gosched() }
