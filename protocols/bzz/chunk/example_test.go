package chunk_test

import (
	"fmt"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

func Example() {
	c, err := chunk.New(11, []byte("hello world"))
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Address())

	// What somebody has sent is a chunk only if it has the address that it was asked for by.
	_, err = chunk.Verify(c.Address(), []byte("\x0b\x00\x00\x00\x00\x00\x00\x00hello there"))
	fmt.Println(err != nil)
	// Output:
	// 92672a471f4419b255d7cb0cf313474a6f5856fb347c5ece85fb706d644b630f
	// true
}
