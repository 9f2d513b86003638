package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestADirectoryHasOneUserAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	first, err := Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Dir(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("the second: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := Dir(dir)
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsLockedCanBeWritten(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Lock(f); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("text"); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(f.Name()); err != nil || string(b) != "text" {
		t.Errorf("read %q, %v", b, err)
	}
}
