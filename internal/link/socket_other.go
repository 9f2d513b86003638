//go:build !linux

package link

import "net"

// tuneSocket and limitUnsent do nothing: only Linux lets a program bound what the kernel holds of a connection without
// fixing it.

func tuneSocket(net.Conn, int) {}

func limitUnsent(net.Conn, int) {}
