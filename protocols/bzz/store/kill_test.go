package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// killDir is the variable that makes this test binary the child which is killed; it names the store.
const killDir = "SENNIT_TEST_STORE"

// killCapacity is small enough that chunks leave all the time, and their slots are used again.
const killCapacity = 3000 * SlotSize

// runChild reports whether this process is the child, after it has done what it is for: put chunks, and print the
// number of the last one whenever they are on the disk. If the first is -1 it has to make the index anew, and prints so for
// each step.
func runChild() bool {
	dir := os.Getenv(killDir)
	if dir == "" {
		return false
	}
	first, err := strconv.Atoi(os.Getenv(killDir + "_FIRST"))
	opts := Options{Capacity: killCapacity}
	if first < 0 {
		opts = Options{Rebuilding: func(r Rebuild) { fmt.Println("synced", r.Done) }}
	}
	s, openErr := Open(dir, opts)
	if openErr != nil || first < 0 {
		fmt.Println(openErr)
		return true
	}
	for i := first; err == nil; i++ {
		if _, err = s.Put(context.Background(), numbered(i)); err == nil && i%100 == 99 {
			err = s.Sync(context.Background())
			fmt.Println("synced", i)
		}
	}
	fmt.Println(err)
	return true
}

func TestAStoreSurvivesThatItsProcessIsKilled(t *testing.T) {
	dir := t.TempDir()
	opts := Options{Capacity: killCapacity}
	r := rand.New(rand.NewPCG(3, 4))
	next := 0
	cursor := uint64(0)
	for round := range 6 {
		synced := runAndKill(t, dir, next, 5+r.IntN(40))
		s := mustOpen(t, dir, opts)
		// Those put last before the last Sync cannot have been evicted yet.
		for i := max(next, synced-500); i <= synced; i++ {
			c, err := s.Get(t.Context(), numbered(i).Address())
			if err != nil || string(c.Data()) != string(numbered(i).Data()) {
				t.Errorf("round %d: chunk %d was lost (%v); %d were safe", round, i, err, synced)
			}
		}
		checkOrder(t, s)
		if st := s.Stats(); st.Corrupt != 0 || st.Chunks > st.Capacity {
			t.Errorf("round %d: %+v", round, st)
		}
		if got := s.Cursor(0); got < cursor {
			t.Errorf("round %d: the cursor went back from %d to %d", round, cursor, got)
		} else {
			cursor = got
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		next = synced + 2*maxPending // what was put after the last Sync is not put again
	}
}

// runAndKill runs a child that puts chunks from first on, kills it after it has told n times that chunks are safe, and
// returns the last number it told.
func runAndKill(t *testing.T, dir string, first, n int) (synced int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir, fmt.Sprintf("%s_FIRST=%d", killDir, first))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for told := 0; lines.Scan(); {
		text, ok := strings.CutPrefix(lines.Text(), "synced ")
		if !ok {
			t.Errorf("the child says %q", lines.Text())
			break
		}
		if synced, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		if told++; told == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Process.Kill() // for when it did not say what it should
	cmd.Wait()
	return synced
}

// checkOrder checks that the bins list what is held, each chunk once, and that each of them comes back as it was put.
func checkOrder(t *testing.T, s *Store) {
	t.Helper()
	listed := make(map[chunk.Address]bool)
	for bin := range Bins {
		entries, err := s.Range(bin, 0, s.Cursor(bin), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if listed[e.Address] {
				t.Errorf("bin %d lists %v twice", bin, e.Address)
			}
			listed[e.Address] = true
			if c, err := s.Get(t.Context(), e.Address); err != nil || !c.Valid() {
				t.Errorf("bin %d lists %v, which is damaged or not held (%v)", bin, e.Address, err)
			}
		}
	}
	if int64(len(listed)) != s.Stats().Chunks {
		t.Errorf("the bins list %d chunks, %d are held", len(listed), s.Stats().Chunks)
	}
}
