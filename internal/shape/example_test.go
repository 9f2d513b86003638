package shape_test

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sennit-net/sennit/internal/shape"
)

// A link of 10 Mbit/s with a round trip of 50 ms.
func Example() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()

	oneWay := shape.Direction{Rate: shape.Mbit(10), Delay: 25 * time.Millisecond}
	link, err := shape.Listen(ln.Addr().String(), oneWay, oneWay)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()

	c, err := net.Dial("tcp", link.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	start := time.Now()
	_, _ = c.Write([]byte("ping"))
	_, _ = io.ReadFull(c, make([]byte, 4))
	up, down := link.Counts()
	fmt.Println(up, down, time.Since(start) >= 50*time.Millisecond)
	// Output: 4 4 true
}
