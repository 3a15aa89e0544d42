package server

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

// pieces is a connection that gives its bytes in pieces of one size.
type pieces struct {
	net.Conn
	b    []byte
	size int
}

func (p *pieces) Read(dst []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(dst[:min(len(dst), p.size)], p.b)
	p.b = p.b[n:]
	return n, nil
}

func (p *pieces) SetReadDeadline(time.Time) error { return nil }

// FuzzFrames reads whatever a peer sends, however it is cut: frames come out as
// they went in, and nothing of the budget stays away.
func FuzzFrames(f *testing.F) {
	f.Add(frame(wire.KeyFetch, 12, 7, "client"), byte(3))
	f.Add(bytes.Repeat(frame(wire.KeyProduce, 9, 1, ""), 300), byte(200))
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff}, byte(1))
	f.Fuzz(func(t *testing.T, src []byte, piece byte) {
		const budget = 1 << 20
		frames := run.NewBudget(budget)
		c := &Conn{srv: &Server{cfg: Config{MaxFrame: 64 << 10}, env: env.Real(), frames: frames}, ctx: t.Context()}
		c.nc = &pieces{b: src, size: int(piece) + 1}
		at := 0
		for {
			r, err := c.nextRequest()
			if err != nil {
				break
			}
			size := len(*r.frame)
			if want := src[at+4 : at+4+size]; !bytes.Equal(*r.frame, want) || !bytes.HasSuffix(want, r.Body) {
				t.Fatalf("frame at %d: %x, want %x", at, *r.frame, want)
			}
			at += 4 + size
			r.Release()
		}
		if frames.Free() != budget {
			t.Fatalf("%d bytes of the budget are gone", budget-frames.Free())
		}
	})
}
