package swarmcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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
// same reference goes on where this one was interrupted; resumed is how many bytes were there already. If path exists,
// that is an error unless it may be overwritten.
func GetFile(ctx context.Context, from Place, ref file.Reference, path string, overwrite bool, told Progress) (size, resumed int64, err error) {
	if _, err := os.Stat(path); err == nil && !overwrite {
		return 0, 0, fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	f, err := file.Open(ctx, from.Get, ref)
	if err != nil {
		return 0, 0, err
	}
	partial := partialPath(path, ref)
	out, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return 0, 0, err
	}
	if resumed, err = resume(out, f.Size()); err == nil {
		_, err = write(ctx, f, resumed, out, told)
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return 0, resumed, fmt.Errorf("%w; what has arrived is in %s, and the same command goes on from there", err, partial)
	}
	return f.Size(), resumed, os.Rename(partial, path)
}

// partialPath returns the name of what has arrived of a file. The reference is part of it, so that it is never continued
// with another.
func partialPath(path string, ref file.Reference) string {
	return fmt.Sprintf("%s.%.16s.part", path, ref.Address)
}

// resume finds out how much of a file of some size has been written to out, in whole chunks, and seeks to the end of it.
func resume(out *os.File, size int64) (int64, error) {
	info, err := out.Stat()
	if err != nil {
		return 0, err
	}
	n := min(info.Size(), size) / chunk.MaxPayload * chunk.MaxPayload
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
