package admin

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestASocketEndsWhenAWriteToItFails(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := wholeWrites{ours}
	c.SetWriteDeadline(time.Unix(1, 0))
	if _, err := c.Write([]byte("half of an answer")); err == nil {
		t.Fatal("written after the deadline")
	}
	theirs.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := theirs.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the other end reads %d bytes, error %v, want the end", n, err)
	}
}
