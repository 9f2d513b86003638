package kit

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/swarm/storage"
)

// download fetches the file "hash path" and returns its size.
func (s *Swarm) download(arg string) (int64, error) {
	words := strings.Fields(arg)
	if len(words) != 2 {
		return 0, fmt.Errorf("download %q: want HASH PATH", arg)
	}
	hash, err := hex.DecodeString(words[0])
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reader, _ := s.files.Retrieve(ctx, storage.Address(hash))
	size, err := reader.Size(ctx, nil)
	if err != nil {
		return 0, err
	}
	f, err := os.Create(words[1])
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(f, io.NewSectionReader(reader, 0, size))
}
