//go:build !linux || !(amd64 || arm64)

package link

import "net"

func newStream(conn net.Conn) stream { return &plainStream{Conn: conn} }
