// Package nodekey keeps a node's private key in a file that only its owner can read.
//
// The format is go-ethereum's: 64 hex digits, with or without a line end, so that a key can move between the two.
package nodekey

import (
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
)

// FileName is the name of the key file below a data directory.
const FileName = "nodekey"

const (
	hexLength   = 64
	maxFileSize = 1024 // more is not a key file, and need not be read
)

// ErrTooOpen is wrapped by the error of [Load] for a key file that others than its owner can read or write.
var ErrTooOpen = errors.New("key file is open to others")

// Load reads the key in file. It refuses a file with any permission for group or others (not on Windows, where the mode
// does not tell), because whoever reads the key can be this node.
func Load(file string) (*ecdsa.PrivateKey, error) {
	// To open a pipe would wait for somebody to write to it.
	if info, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is not a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()

	// The mode of the open file, not of the name: nothing can be swapped in between.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkMode(file, info); err != nil {
		return nil, err
	}
	text := make([]byte, info.Size())
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, fmt.Errorf("key file %s: %w", file, err)
	}
	key, err := Parse(strings.TrimRight(string(text), "\r\n"))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", file, err)
	}
	return key, nil
}

func checkMode(file string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("key file %s is not a regular file", file)
	}
	if info.Size() == 0 || info.Size() > maxFileSize {
		return fmt.Errorf("key file %s has %d bytes, want %d hex digits", file, info.Size(), hexLength)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%w: %s has mode %04o; run: chmod 600 %s", ErrTooOpen, file, mode, file)
	}
	return nil
}

// Parse reads a key of 64 hex digits. The error never quotes the text.
func Parse(text string) (*ecdsa.PrivateKey, error) {
	if len(text) != hexLength {
		return nil, fmt.Errorf("a key has %d hex digits, this has %d characters", hexLength, len(text))
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("a key has %d hex digits, this has other characters", hexLength)
	}
	key, err := crypto.ToECDSA(raw)
	if err != nil {
		return nil, fmt.Errorf("not a secp256k1 key: %w", err)
	}
	return key, nil
}

// Create makes a new key and writes it to file with mode 0600, along with the directories above it (0700). It never
// overwrites: if file exists, the error is fs.ErrExist.
func Create(file string) (*ecdsa.PrivateKey, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("directory of the key file %s: %w", file, err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	_, err = f.WriteString(hex.EncodeToString(crypto.FromECDSA(key)) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		// Half a key would block the next start.
		return nil, errors.Join(err, os.Remove(file))
	}
	return key, nil
}

// LoadOrCreate reads the key in file, or makes one if there is no such file. made tells which.
func LoadOrCreate(file string) (key *ecdsa.PrivateKey, made bool, err error) {
	key, err = Load(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	key, err = Create(file)
	return key, err == nil, err
}
