// Command swarmbench measures the BMT hash and the file splitter of go-ethereum v1.8.27, the original that Sennit's
// protocols/bzz stands beside. It prints one line of JSON for each measurement:
//
//	{"what":"hash","bytes":67108864,"ns":123456789,"root":"..."}
//
// hash is one hasher that hashes the content in pieces of 4096 bytes, split is a file store that keeps no chunk. The
// content's byte i is i mod 255.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/swarm/storage"
)

const chunkSize = 4096

// measurement is one line of the output.
type measurement struct {
	What  string `json:"what"`
	Bytes int    `json:"bytes"`
	NS    int64  `json:"ns"`
	Root  string `json:"root"` // of the split, or the last chunk's hash
}

func main() {
	size := flag.Int("size", 64<<20, "bytes of content")
	flag.Parse()
	content := make([]byte, *size)
	for i := range content {
		content[i] = byte(i % 255)
	}
	out := json.NewEncoder(os.Stdout)
	for _, f := range []func([]byte) (measurement, error){hash, split} {
		m, err := f(content)
		if err == nil {
			err = out.Encode(m)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func hash(content []byte) (measurement, error) {
	hasher := storage.MakeHashFunc(storage.DefaultHash)()
	span := make([]byte, 8)
	var sum []byte
	begin := time.Now()
	for rest := content; len(rest) > 0; {
		piece := rest[:min(chunkSize, len(rest))]
		rest = rest[len(piece):]
		binary.LittleEndian.PutUint64(span, uint64(len(piece)))
		hasher.ResetWithLength(span)
		if _, err := hasher.Write(piece); err != nil {
			return measurement{}, err
		}
		sum = hasher.Sum(sum[:0])
	}
	return measurement{"hash", len(content), time.Since(begin).Nanoseconds(), fmt.Sprintf("%x", sum)}, nil
}

func split(content []byte) (measurement, error) {
	files := storage.NewFileStore(&storage.FakeChunkStore{}, storage.NewFileStoreParams())
	ctx := context.Background()
	begin := time.Now()
	root, wait, err := files.Store(ctx, bytes.NewReader(content), int64(len(content)), false)
	if err == nil {
		err = wait(ctx)
	}
	return measurement{"split", len(content), time.Since(begin).Nanoseconds(), root.Hex()}, err
}
