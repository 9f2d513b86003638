package nodekey

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

const exampleKey = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291" // from EIP-8 and EIP-778

func write(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestNewKeyFileIsForItsOwnerOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "er", FileName)
	key, made, err := LoadOrCreate(file)
	if err != nil || !made {
		t.Fatalf("made %v, error %v", made, err)
	}
	for path, want := range map[string]fs.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != want && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %04o, want %04o", path, mode, want)
		}
	}
	again, made, err := LoadOrCreate(file)
	if err != nil || made || !again.Equal(key) {
		t.Errorf("second call: made %v, error %v, same key %v", made, err, again.Equal(key))
	}
	if ours, err := crypto.LoadECDSA(file); err != nil || !ours.Equal(key) {
		t.Errorf("go-ethereum cannot read the file: %v", err)
	}
}

func TestCreateNeverOverwritesAKey(t *testing.T) {
	file := write(t, exampleKey, 0o600)
	if _, err := Create(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want fs.ErrExist", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != exampleKey {
		t.Errorf("the file now holds %q, %v", text, err)
	}
}

func TestKeyFileOpenToOthersIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits for group and others")
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o601, 0o666} {
		file := write(t, exampleKey, mode)
		_, err := Load(file)
		if !errors.Is(err, ErrTooOpen) {
			t.Errorf("mode %04o: error %v, want ErrTooOpen", mode, err)
		} else if !strings.Contains(err.Error(), "chmod 600 "+file) {
			t.Errorf("mode %04o: %q does not say what to do", mode, err)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		if _, err := Load(write(t, exampleKey, mode)); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestKeyFileMustHoldOneKey(t *testing.T) {
	tests := []struct{ name, text, err string }{
		{"bare", exampleKey, ""},
		{"line end", exampleKey + "\n", ""},
		{"line end of Windows", exampleKey + "\r\n", ""},
		{"empty", "", "0 bytes"},
		{"short", exampleKey[:63], "63 characters"},
		{"blank before", " " + exampleKey, "65 characters"},
		{"0x", "0x" + exampleKey, "66 characters"},
		{"not hex", strings.Repeat("g", 64), "other characters"},
		{"zero", strings.Repeat("0", 64), "not a secp256k1 key"},
		{"above the order", strings.Repeat("f", 64), "not a secp256k1 key"},
		{"large", strings.Repeat("a", 1025), "1025 bytes"},
	}
	for _, tt := range tests {
		key, err := Load(write(t, tt.text, 0o600))
		switch {
		case tt.err == "" && (err != nil || key == nil):
			t.Errorf("%s: %v", tt.name, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.err)
		case err != nil && len(tt.text) >= 63 && strings.Contains(err.Error(), tt.text[:16]):
			t.Errorf("%s: the error quotes the key", tt.name)
		}
	}
}

func TestDirectoryIsNotAKey(t *testing.T) {
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}

func TestWhatIsNoFileIsRefusedWithoutBeingOpened(t *testing.T) {
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}
