package peer

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// Frames of a file have these kinds.
const (
	chunkData byte = 1
	chunkEnd  byte = 2 // the CRC of all bytes
)

// SendFile sends size bytes of r with a header of at most 64 KiB to a member, on
// a connection of its own, and returns what the receiver says: nil when it took
// the file, *RefusedError with its reason. A member gets one file at a time;
// others wait. A transfer that stands still for Config.IdleTimeout ends.
func (p *Peers) SendFile(ctx context.Context, number uint64, header []byte, size int64, r io.Reader) error {
	err := p.sendFile(ctx, number, header, size, r)
	if err != nil {
		return fmt.Errorf("send a file of %d bytes to member %d: %w", size, number, err)
	}
	return nil
}

func (p *Peers) sendFile(ctx context.Context, number uint64, header []byte, size int64, r io.Reader) error {
	m := (*p.members.Load())[number]
	switch {
	case m == nil:
		return errors.New("no such member is named")
	case len(header) > maxGreeting:
		return fmt.Errorf("its header has %d bytes, limit %d", len(header), maxGreeting)
	case size < 0:
		return errors.New("its size is negative")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	both, cancel := context.WithCancelCause(m.ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	door := &p.doors[number]
	select {
	case door.sending <- struct{}{}:
	case <-both.Done():
		return context.Cause(both)
	}
	defer func() { <-door.sending }()
	c, _, err := m.open(both, wordFileHello)
	if err != nil {
		return err
	}
	if err := c.say(wordFile, append(binary.BigEndian.AppendUint64(nil, uint64(size)), header...)); err != nil {
		return c.over(err)
	}
	c.settled()
	sender := run.NewGroup(c.ctx)
	sender.Go("peer-file", func(context.Context) error { c.sendChunks(size, r); return nil })
	err = verdict(c)
	_ = c.over(err)
	_ = sender.Wait() // the connection is over
	return err
}

// verdict waits for the receiver's answer.
func verdict(c *conn) error {
	for {
		w, err := c.expect(wordBusy, wordTaken)
		if err != nil || w.kind == wordTaken {
			return err
		}
	}
}

// sendChunks sends the bytes and what checks them. When the other side ends the
// connection its answer may still be there to be read; other errors end it here.
func (c *conn) sendChunks(size int64, r io.Reader) {
	var all uint32
	buf, frame := make([]byte, min(size, chunkSize)), []byte(nil)
	put := func(kind byte, payload []byte) bool {
		frame = appendFrame(frame[:0], kind, payload, frameCRC(kind, payload))
		_, err := c.Write(frame)
		if err != nil && !Gone(err) {
			c.cancel(fmt.Errorf("write: %w", err))
		}
		return err == nil
	}
	for left := size; left > 0; {
		chunk := buf[:min(left, chunkSize)]
		if _, err := io.ReadFull(r, chunk); err != nil {
			c.cancel(fmt.Errorf("read the file, %d bytes before its end: %w", left, err))
			return
		}
		all = crc32.Update(all, castagnoli, chunk)
		if !put(chunkData, chunk) {
			return
		}
		left -= int64(len(chunk))
	}
	put(chunkEnd, binary.BigEndian.AppendUint32(nil, all))
}

// takeFile is the rest of the life of a connection for a file.
func (p *Peers) takeFile(c *conn, v visitor) {
	h := v.hello
	w, err := c.welcome(v, wordFile)
	if err == nil && (len(w.body) < 8 || w.body[0] > 0x7f) {
		err = &ProtocolError{Reason: "a file of no size"}
	}
	if err != nil {
		p.log.Warn("no file of member", "member", h.Member, "reason", c.over(err))
		return
	}
	size, header := int64(binary.BigEndian.Uint64(w.body)), w.body[8:]
	p.log.Info("a file of member", "member", h.Member, "bytes", size)
	busy := run.NewGroup(c.ctx)
	busy.Go("peer-busy", func(ctx context.Context) error { p.busy(ctx, c); return nil })
	err = p.h.File(c.ctx, h.Member, h, header, size, &fileReader{r: bufio.NewReaderSize(c, readBuffer), left: size})
	busy.Stop()
	_ = busy.Wait()
	if err != nil {
		p.log.Warn("did not take the file of member", "member", h.Member, "bytes", size, "reason", err)
		c.refuse(err)
	} else if err := c.say(wordTaken, nil); err != nil {
		p.log.Warn("could not say that the file was taken", "member", h.Member, "bytes", size, "reason", err)
	}
	// To close with bytes unread would take the answer back. The other side ends
	// the connection when it has it.
	c.within(p.cfg.HelloTimeout)
	_, _ = io.Copy(io.Discard, c)
}

// busy lets the sender know that somebody is there.
func (p *Peers) busy(ctx context.Context, c *conn) {
	for env.Sleep(ctx, p.env.Clock, p.cfg.IdleTimeout/busyShare) == nil {
		if c.say(wordBusy, nil) != nil {
			return // who reads the file learns of it
		}
	}
}

// fileReader reads a file out of its frames.
type fileReader struct {
	r     *bufio.Reader
	left  int64  // bytes that have not come
	chunk []byte // what came and was not read
	all   uint32 // CRC of what came
	err   error  // behind chunk
}

// Read implements io.Reader.
func (f *fileReader) Read(b []byte) (int, error) {
	for len(f.chunk) == 0 && f.err == nil {
		f.next()
	}
	if len(f.chunk) == 0 {
		return 0, f.err
	}
	n := copy(b, f.chunk)
	f.chunk = f.chunk[n:]
	return n, nil
}

// next takes the next chunk in. The last bytes are not handed out before what
// follows has checked them: some readers count, and do not wait for io.EOF.
func (f *fileReader) next() {
	if f.left > 0 {
		f.chunk, f.err = f.data()
	}
	if f.err == nil && f.left == 0 {
		if f.err = f.end(); !errors.Is(f.err, io.EOF) {
			f.chunk = nil
		}
	}
}

func (f *fileReader) data() ([]byte, error) {
	kind, b, err := readFrame(f.r, chunkSize)
	switch {
	case err != nil:
		return nil, unexpected(err)
	case kind != chunkData || len(b) == 0 || int64(len(b)) > f.left:
		return nil, &ProtocolError{Reason: fmt.Sprintf("a chunk of kind %d and %d bytes, %d before the end", kind, len(b), f.left)}
	}
	f.left -= int64(len(b))
	f.all = crc32.Update(f.all, castagnoli, b)
	return b, nil
}

// end returns io.EOF when all came unharmed.
func (f *fileReader) end() error {
	kind, b, err := readFrame(f.r, chunkSize)
	switch {
	case err != nil:
		return unexpected(err)
	case kind != chunkEnd || len(b) != 4 || binary.BigEndian.Uint32(b) != f.all:
		return &ProtocolError{Reason: fmt.Sprintf("a file with CRC %08x ends with a chunk of kind %d: %x", f.all, kind, b)}
	}
	return io.EOF
}
