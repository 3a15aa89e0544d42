package peer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memnet"
)

// content is a file of n bytes.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> (i % 5))
	}
	return b
}

// sendTo starts member 1, which knows member 2 under an address.
func sendTo(t testing.TB, e env.Env, cfg Config, address string) *node {
	a := begin(t, e, cfg, person(1, 10))
	a.SetMembers(map[uint64]string{2: address})
	return a
}

func TestFileIsTaken(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(2, 20)
		var got []byte
		o.file = func(_ context.Context, _ []byte, _ int64, r io.Reader) (err error) {
			got, err = io.ReadAll(r)
			return err
		}
		b := begin(t, e, cfg, o)
		a := sendTo(t, e, cfg, b.Addr().String())
		for _, size := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3<<20 + 5} {
			sent := content(size)
			got = nil
			err := a.SendFile(t.Context(), 2, fmt.Appendf(nil, "file %d", size), int64(size), bytes.NewReader(sent))
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes: %v, %d have come", size, err, len(got))
			}
			want(t, o.await("file"), fmt.Sprintf("file of 1: file %d, %d bytes", size, size))
		}
	})
}

// TestFileIsRefused: before, within and after its bytes.
func TestFileIsRefused(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(2, 20)
		take := int64(0)
		o.file = func(_ context.Context, _ []byte, _ int64, r io.Reader) error {
			if n, err := io.CopyN(io.Discard, r, take); err != nil {
				return fmt.Errorf("after %d bytes: %w", n, err)
			}
			return fmt.Errorf("%d bytes are enough", take)
		}
		b := begin(t, e, cfg, o)
		a := sendTo(t, e, cfg, b.Addr().String())
		for _, take = range []int64{0, 1, 1 << 20, 3 << 20} {
			err := a.SendFile(t.Context(), 2, nil, 3<<20, bytes.NewReader(content(3<<20)))
			refused, ok := errors.AsType[*RefusedError](err)
			if !ok || refused.Reason != fmt.Sprintf("%d bytes are enough", take) {
				t.Errorf("after %d bytes: %v", take, err)
			}
		}
	})
}

// TestFileIsNotNeeded: a receiver that has seen enough can say yes, too.
func TestFileIsNotNeeded(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(2, 20)
		o.file = func(context.Context, []byte, int64, io.Reader) error { return nil }
		b := begin(t, e, cfg, o)
		a := sendTo(t, e, cfg, b.Addr().String())
		if err := a.SendFile(t.Context(), 2, nil, 3<<20, bytes.NewReader(content(3<<20))); err != nil {
			t.Error(err)
		}
	})
}

func TestFileCannotBeSent(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(2, 20)
		o.file = func(_ context.Context, _ []byte, _ int64, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		b := begin(t, e, cfg, o)
		a := sendTo(t, e, cfg, b.Addr().String())
		f := func(number uint64, header []byte, size int64, r io.Reader, reason string) {
			t.Helper()
			if err := a.SendFile(t.Context(), number, header, size, r); err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%v, want %s", err, reason)
			}
		}
		f(3, nil, 0, nil, "no such member is named")
		f(2, make([]byte, maxGreeting+1), 0, nil, "its header has 65537 bytes, limit 65536")
		f(2, nil, -1, nil, "its size is negative")
		f(2, nil, 10, strings.NewReader("too short"), "read the file, 10 bytes before its end: unexpected EOF")
		want(t, o.await("file over"), "file of 1: , 10 bytes", "file over: gone")
		f(2, nil, 10, iotest.ErrReader(errors.New("disk is broken")), "disk is broken")
		o.await("file over")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("no time"))
		if err := a.SendFile(ctx, 2, nil, 10, strings.NewReader("0123456789")); err == nil || !strings.Contains(err.Error(), "no time") {
			t.Errorf("%v, want no time", err)
		}
		o.accept = func(Hello, bool) error { return errors.New("I do not know you") }
		f(2, nil, 0, nil, "refused: I do not know you")
	})
}

// fileBytes is what comes behind the hello of a file.
func fileBytes(header string, b []byte) []byte {
	out := appendWord(nil, wordFile, append(binary.BigEndian.AppendUint64(nil, uint64(len(b))), header...))
	for chunk := range slices.Chunk(b, chunkSize) {
		out = appendFrame(out, chunkData, chunk, frameCRC(chunkData, chunk))
	}
	end := binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli))
	return appendFrame(out, chunkEnd, end, frameCRC(chunkEnd, end))
}

// TestFileIsCutOrDamaged: the receiver is never told that a file has ended that
// has not, also if it counts bytes instead of waiting for io.EOF.
func TestFileIsCutOrDamaged(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(1, 10)
		o.file = func(_ context.Context, _ []byte, size int64, r io.Reader) error {
			_, err := io.ReadFull(r, make([]byte, size))
			return err
		}
		a := begin(t, e, cfg, o)
		whole := fileBytes("h", []byte("abc"))
		begins := wordHead + 8 + 1 // where the chunks begin
		send := func(b []byte, closes bool) raw {
			r := knock(t, e, a, wordFileHello, second(20))
			r.word(wordAnswer)
			_, _ = r.Write(b) // it may go before it has read all
			if closes {
				_ = r.Close()
			}
			return r
		}
		for n := begins; n < len(whole); n++ {
			send(whole[:n], true)
			want(t, o.await("file over"), "file of 2: h, 3 bytes", "file over: gone")
		}
		for bit := 8 * begins; bit < 8*len(whole); bit++ {
			bad := slices.Clone(whole)
			bad[bit/8] ^= 1 << (bit % 8)
			if at := bit/8 - begins; at < 4 || at >= frameHead+3 && at < frameHead+7 {
				send(bad, true) // a length: the rest may be waited for
			} else {
				send(bad, false).word(wordRefusal)
			}
			o.await("file over")
		}
		send(whole, false).word(wordTaken)
		for _, bad := range [][]byte{
			appendWord(nil, wordFile, []byte("1234567")), appendWord(nil, wordFile, []byte("\xff2345678")), appendWord(nil, wordReady, nil),
		} {
			send(bad, false).ended()
		}
		want(t, o.await("file of"), "file of 2: h, 3 bytes") // the whole one
		swapped := frame(chunkEnd, "\x00\x00\x00\x00")
		bad := append(slices.Clone(whole[:len(whole)-len(swapped)]), swapped...)
		if got := string(send(bad, false).word(wordRefusal).body); !strings.HasPrefix(got, "a file with CRC ") {
			t.Errorf("refused: %s", got)
		}
	})
}

// TestFileStalls: a transfer that stands still ends, whichever side stands.
func TestFileStalls(t *testing.T) {
	const idle = 9 * time.Second
	synctest.Test(t, func(t *testing.T) {
		e := memory(memnet.New())
		o := person(1, 10)
		o.file = func(_ context.Context, _ []byte, _ int64, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		a := begin(t, e, Config{IdleTimeout: idle}, o)
		r := knock(t, e, a, wordFileHello, second(20))
		r.word(wordAnswer)
		bytes := fileBytes("h", content(1000))
		r.put(bytes[:500])
		began := time.Now()
		for range busyShare - 1 {
			r.word(wordBusy)
		}
		if w, err := readWord(r); err == nil && w.kind == wordBusy { // both are due now
			r.word(wordRefusal)
		}
		want(t, o.await("file over"), "file of 2: h, 1000 bytes", "file over: the other end is silent")
		if took := time.Since(began); took != idle {
			t.Errorf("the sender stalled, noticed after %v", took)
		}
		h := open(t, e)
		a.SetMembers(map[uint64]string{2: h.Addr().String()})
		go func() {
			h.admit(wordHello, Hello{Member: 2, Boot: 20})
			h.admit(wordFileHello, Hello{Member: 2, Boot: 20}).word(wordFile)
		}()
		a.o.await("up 2")
		began = time.Now()
		err := a.SendFile(t.Context(), 2, nil, 1000, strings.NewReader(string(content(1000))))
		if took := time.Since(began); !errors.Is(err, ErrSilent) || took < idle/2 || took > idle {
			t.Errorf("the receiver stalled: %v after %v", err, took)
		}
	})
}

// TestFileTakesLong: a receiver that works for long is waited for, until the
// sender has enough.
func TestFileTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory(memnet.New())
		o := person(2, 20)
		o.file = func(ctx context.Context, _ []byte, _ int64, r io.Reader) error {
			if _, err := io.Copy(io.Discard, r); err != nil {
				return err
			}
			return env.Sleep(ctx, e.Clock, time.Hour)
		}
		b := begin(t, e, Config{}, o)
		a := sendTo(t, e, Config{}, b.Addr().String())
		began := time.Now()
		err := a.SendFile(t.Context(), 2, nil, 3, strings.NewReader("abc"))
		if took := time.Since(began); err != nil || took != time.Hour {
			t.Errorf("%v after %v", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := a.SendFile(ctx, 2, nil, 3, strings.NewReader("abc")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestOneFileAtATime: a second file waits here; one that comes all the same
// replaces the first.
func TestOneFileAtATime(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(2, 20)
		o.file = func(ctx context.Context, header []byte, _ int64, _ io.Reader) error {
			if string(header) == "first" {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}
		b := begin(t, e, cfg, o)
		a := sendTo(t, e, cfg, b.Addr().String())
		first, second := make(chan error, 1), make(chan error, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { first <- a.SendFile(ctx, 2, []byte("first"), 0, nil) }()
		o.await("file of 1: first")
		r := knock(t, e, b, wordFileHello, Hello{Member: 1, To: 2, Boot: 11})
		r.word(wordAnswer)
		want(t, o.await("file over"), "file over: replaced by a newer connection")
		if err := <-first; !Gone(err) {
			t.Errorf("first: %v", err)
		}
		_ = r.Close()
		go func() { first <- a.SendFile(ctx, 2, []byte("first"), 0, nil) }()
		o.await("file of 1: first")
		go func() { second <- a.SendFile(t.Context(), 2, []byte("second"), 0, nil) }()
		cancel(errors.New("enough"))
		if err := <-first; err == nil || !strings.Contains(err.Error(), "enough") {
			t.Errorf("first: %v", err)
		}
		if err := <-second; err != nil {
			t.Errorf("second: %v", err)
		}
		go func() { first <- a.SendFile(t.Context(), 2, []byte("first"), 0, nil) }()
		o.await("file of 1: first")
		a.stop()
		if err := <-first; !errors.Is(err, ErrStopped) {
			t.Errorf("first: %v", err)
		}
	})
}

// FuzzFile reads the chunks of a file: what is handed out whole was sent so.
func FuzzFile(f *testing.F) {
	chunks := string(fileBytes("", []byte("abc"))[wordHead+8:])
	f.Add([]byte(chunks), int64(3))
	f.Add([]byte(chunks), int64(4))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		size = max(0, size)
		r := &fileReader{r: bufio.NewReader(bytes.NewReader(b)), left: size}
		got, err := io.ReadAll(r)
		if int64(len(got)) > size {
			t.Fatalf("%d bytes of %d", len(got), size)
		}
		if err == nil && int64(len(got)) != size {
			t.Fatalf("a whole file has %d bytes, not %d", len(got), size)
		}
		if n, again := r.Read(make([]byte, 1)); n > 0 || err == nil && again != io.EOF || err != nil && again != err {
			t.Fatalf("after the end: %d, %v; before %v", n, again, err)
		}
	})
}
