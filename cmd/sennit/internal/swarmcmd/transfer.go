package swarmcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/sennit-net/sennit/cmd/sennit/internal/filelock"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/file"
)

// putters is how many chunks are handed over at the same time.
const putters = 8

// Progress is told how far something is. Units are bytes, total is 0 if it is not known.
type Progress func(done, total int64)

// Put splits what r has, hands the chunks to a place and waits until they are safe there. size is what r is expected to
// have, 0 if unknown. If only the waiting fails, the reference is returned as well.
func Put(ctx context.Context, to Place, r io.Reader, size int64, encrypt bool, split, carry Progress) (file.Reference, int64, error) {
	counted := &countingReader{r: r, total: size, told: split}
	ref, n, err := file.Split(ctx, counted, to.Put, file.SplitOptions{Encrypt: encrypt, Workers: putters})
	if err != nil {
		return file.Reference{}, n, err
	}
	if err := to.Finish(ctx, func(done, total int64) { carry(done*chunk.MaxPayload, total*chunk.MaxPayload) }); err != nil {
		return ref, n, err
	}
	return ref, n, nil
}

// Get writes a file to w, from an offset on, and returns how many bytes it has written.
func Get(ctx context.Context, from Place, ref file.Reference, offset int64, w io.Writer, told Progress) (int64, error) {
	f, err := file.Open(ctx, from.Get, ref)
	if err != nil {
		return 0, err
	}
	return write(ctx, f, offset, w, told)
}

func write(ctx context.Context, f *file.File, offset int64, w io.Writer, told Progress) (int64, error) {
	r := f.NewReader(ctx, offset, -1)
	defer r.Close()
	counted := &countingReader{r: r, n: offset, total: f.Size(), told: told}
	return io.Copy(w, counted)
}

// GetFile writes a file to path. What has arrived stands in a file beside it until all has, so that a later call for the
// same reference goes on where this one was interrupted; resumed is how many bytes were there already, and are those of the
// file. If path exists, that is an error unless it may be overwritten, and so is another call that is under way for both.
func GetFile(ctx context.Context, from Place, ref file.Reference, path string, overwrite bool, told Progress) (size, resumed int64, err error) {
	if _, err := os.Stat(path); err == nil && !overwrite {
		return 0, 0, fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	f, err := file.Open(ctx, from.Get, ref)
	if err != nil {
		return 0, 0, err
	}
	partial := partialPath(path, ref)
	out, err := openPartial(partial)
	if err != nil {
		return 0, 0, err
	}
	if resumed, err = resume(ctx, out, f, told); err == nil {
		_, err = write(ctx, f, resumed, out, told)
	}
	if err == nil {
		err = out.Sync()
	}
	if err == nil && runtime.GOOS != "windows" {
		err = os.Rename(partial, path) // while it is locked
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return 0, resumed, fmt.Errorf("%w; what has arrived is in %s, and the same command goes on from there", err, partial)
	}
	if runtime.GOOS == "windows" {
		err = os.Rename(partial, path) // there, not while it is open
	}
	return f.Size(), resumed, err
}

// openPartial opens what has arrived of a file, for one caller at a time.
func openPartial(partial string) (*os.File, error) {
	out, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	err = filelock.Lock(out)
	if err == nil {
		// Whoever had it until now may be done, and have given it its name.
		var opened, named os.FileInfo
		if opened, err = out.Stat(); err == nil {
			if named, err = os.Stat(partial); err == nil && !os.SameFile(opened, named) || errors.Is(err, os.ErrNotExist) {
				err = filelock.ErrInUse
			}
		}
	}
	if errors.Is(err, filelock.ErrInUse) {
		err = fmt.Errorf("%s is %w, which gets the same file to the same place", partial, filelock.ErrInUse)
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// partialPath returns the name of what has arrived of a file. The reference is part of it, so that it is never continued
// with another.
func partialPath(path string, ref file.Reference) string {
	return fmt.Sprintf("%s.%.16s.part", path, ref.Address)
}

// resume finds out how much of what is in out is the beginning of a file, in whole chunks, drops what follows, and seeks to
// the end of it. The size alone would not do: after a crash of the machine there can be a gap, and anybody can write there.
func resume(ctx context.Context, out *os.File, f *file.File, told Progress) (int64, error) {
	info, err := out.Stat()
	if err != nil {
		return 0, err
	}
	n, err := f.Match(ctx, out, info.Size(), func(n int64) { told(n, f.Size()) })
	if err != nil {
		return 0, err
	}
	if err := out.Truncate(n); err != nil {
		return 0, err
	}
	_, err = out.Seek(n, io.SeekStart)
	return n, err
}

// countingReader tells how much of it has been read.
type countingReader struct {
	r        io.Reader
	n, total int64
	told     Progress
}

// Read reads and tells.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.told(c.n, c.total)
	return n, err
}
