package records

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gregor-mq/gregor/cli/term"
)

const (
	// maxLine bounds a line in bytes: no broker takes a record that long unless
	// its limits were raised far beyond use, and memory has to end somewhere.
	maxLine = 128 << 20
	// readBuffer is enough for thousands of short lines per read.
	readBuffer = 256 << 10
)

// line is a line of the input, without its newline.
type line struct {
	file string
	n    int // from 1
	text []byte
}

// at names a line in an error.
func (l line) at() string {
	if l.file == "-" {
		return fmt.Sprintf("line %d", l.n)
	}
	return fmt.Sprintf("%s: line %d", l.file, l.n)
}

// readLines sends all lines of the files, in order, and returns the first error.
// A last line need not end.
func readLines(ctx context.Context, t term.Term, files []string, out chan<- line) error {
	for _, name := range files {
		f, err := t.Open(name)
		if err != nil {
			return err
		}
		err = readFile(ctx, f, name, out)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func readFile(ctx context.Context, f io.Reader, name string, out chan<- line) error {
	r := bufio.NewReaderSize(f, readBuffer)
	for n := 1; ; n++ {
		l := line{file: name, n: n}
		text, end, err := readLine(r)
		switch {
		case errors.Is(err, io.EOF) && len(text) == 0:
			return nil
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("%s: %w", l.at(), err)
		}
		l.text = text
		select {
		case out <- l:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !end {
			return nil
		}
	}
}

// readLine returns a copy of the next line; end says that a newline was there.
func readLine(r *bufio.Reader) (text []byte, end bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(text)+len(part) > maxLine {
			return nil, false, fmt.Errorf("is longer than %d bytes", maxLine)
		}
		text = append(text, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		text, end = bytes.CutSuffix(text, []byte("\n"))
		return text, end, err
	}
}
