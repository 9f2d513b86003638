// Command swarmbench is the file code of go-ethereum v1.8.27, which Sennit's protocols/bzz/file and protocols/bzz/chunk
// stand beside: chunker, BMT hash and encryption, without a network. It takes a command on each line of its standard input
// and answers each with one line:
//
//	hash SIZE            one hasher hashes content in pieces of 4096 bytes    TOOK nanoseconds
//	split SIZE           a file store that keeps nothing stores it            TOOK nanoseconds ROOT reference
//	write DIR SIZE       the same, with chunks as files in DIR                ROOT reference
//	encrypt DIR SIZE     the same, encrypted                                  ROOT reference
//	read DIR REFERENCE   a file is read from chunks in DIR                    READ size sha256
//
// The content's byte i is i mod 255.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/swarm/storage"
)

const chunkSize = 4096

func main() {
	fmt.Println("READY")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		answer, err := do(strings.Fields(in.Text()))
		if err != nil {
			answer = "FAILED " + err.Error()
		}
		fmt.Println(answer)
	}
}

func do(args []string) (string, error) {
	switch {
	case len(args) == 2 && args[0] == "hash":
		return hash(content(args[1]))
	case len(args) == 2 && args[0] == "split":
		return split(&storage.FakeChunkStore{}, content(args[1]), false)
	case len(args) == 3 && args[0] == "write":
		return split(directory(args[1]), content(args[2]), false)
	case len(args) == 3 && args[0] == "encrypt":
		return split(directory(args[1]), content(args[2]), true)
	case len(args) == 3 && args[0] == "read":
		return read(directory(args[1]), args[2])
	}
	return "", fmt.Errorf("no such command: %q", args)
}

func content(size string) []byte {
	n, _ := strconv.Atoi(size)
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 255)
	}
	return b
}

func hash(content []byte) (string, error) {
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
			return "", err
		}
		sum = hasher.Sum(sum[:0])
	}
	return fmt.Sprintf("TOOK %d", time.Since(begin).Nanoseconds()), nil
}

func split(to storage.ChunkStore, content []byte, encrypt bool) (string, error) {
	files := storage.NewFileStore(to, storage.NewFileStoreParams())
	ctx := context.Background()
	begin := time.Now()
	root, wait, err := files.Store(ctx, bytes.NewReader(content), int64(len(content)), encrypt)
	if err == nil {
		err = wait(ctx)
	}
	return fmt.Sprintf("TOOK %d ROOT %x", time.Since(begin).Nanoseconds(), []byte(root)), err
}

func read(from storage.ChunkStore, reference string) (string, error) {
	root, err := hex.DecodeString(reference)
	if err != nil {
		return "", err
	}
	files := storage.NewFileStore(from, storage.NewFileStoreParams())
	r, _ := files.Retrieve(context.Background(), root)
	size, err := r.Size(context.Background(), nil)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	if err == nil && n != size {
		err = fmt.Errorf("read %d bytes of %d", n, size)
	}
	return fmt.Sprintf("READ %d %x", n, sum.Sum(nil)), err
}

// directory keeps chunks as files, each named by its address.
type directory string

func (d directory) path(addr storage.Address) string {
	return filepath.Join(string(d), hex.EncodeToString(addr))
}

func (d directory) Put(_ context.Context, c storage.Chunk) error {
	return os.WriteFile(d.path(c.Address()), c.Data(), 0o600)
}

func (d directory) Get(_ context.Context, addr storage.Address) (storage.Chunk, error) {
	data, err := os.ReadFile(d.path(addr))
	if err != nil {
		return nil, err
	}
	c := storage.NewChunk(addr, data)
	if !storage.NewContentAddressValidator(storage.MakeHashFunc(storage.DefaultHash)).Validate(c) {
		return nil, errors.New("chunk has another address")
	}
	return c, nil
}

func (d directory) Has(_ context.Context, addr storage.Address) bool {
	_, err := os.Stat(d.path(addr))
	return err == nil
}

func (d directory) Close() {}
