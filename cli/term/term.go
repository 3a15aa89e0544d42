package term

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/gregor-mq/gregor/internal/env"
)

// Term is what a verb runs with.
type Term struct {
	Env env.Env
	In  io.Reader
	Out io.Writer // what the user asked for
	Err io.Writer // all else that is told
	// Live says that Err is a terminal: progress may be shown there.
	Live bool
	// Typed says that In is a terminal: somebody types there.
	Typed bool
}

// UntilInterrupted returns a context that ends with ctx, or at the first SIGINT
// or SIGTERM: what runs then ends cleanly. A second signal ends the process.
func (t Term) UntilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Interrupted reports whether err says no more than that the user ended it.
func Interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)))
}

// JSON writes v as a line of JSON.
func (t Term) JSON(v any) error {
	line, err := Line(v)
	if err != nil {
		return err
	}
	_, err = t.Out.Write(line)
	return err
}

// Line is v as JSON with a newline after it; <, > and & stay as they are.
func Line(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	return b.Bytes(), nil
}

// Bytes returns outside bytes for JSON: as text when they are UTF-8, else as
// base64. Both are nil for nil.
func Bytes(b []byte) (text, inBase64 *string) {
	switch {
	case b == nil:
		return nil, nil
	case utf8.Valid(b):
		return new(string(b)), nil
	}
	return nil, new(base64.StdEncoding.EncodeToString(b))
}

// Table writes rows in columns below their heads. Cells hold no tabs or
// newlines.
func (t Term) Table(heads []string, rows [][]string) error {
	w := tabwriter.NewWriter(t.Out, 0, 1, 2, ' ', 0)
	for _, row := range append([][]string{heads}, rows...) {
		// The last column is not padded.
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// Count is a number with its noun: "1 record", "2 records".
func Count[N int | int32 | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// Open opens a file to read from its beginning; "-" is the standard input.
func (t Term) Open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(t.In), nil
	}
	f, err := t.Env.FS.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file{io.NewSectionReader(f, 0, size), f}, nil
}

// file reads what a file held when it was opened.
type file struct {
	io.Reader
	io.Closer
}
