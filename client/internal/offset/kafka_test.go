package offset

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/internal/env"
)

// answers are a broker's; nil for a request that stays without one.
type answers func(req kmsg.Request) kmsg.Response

// serve is one connection to a broker.
func serve(conn net.Conn, answer answers) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame)))
		req.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
		var resp kmsg.Response
		if v, ok := req.ResponseKind().(*kmsg.ApiVersionsResponse); ok {
			for key, last := range map[int16]int16{8: 2, 9: 2, 10: 1, 18: 0} { // none with tags
				k := kmsg.NewApiVersionsResponseApiKey()
				k.ApiKey, k.MaxVersion = key, last
				v.ApiKeys = append(v.ApiKeys, k)
			}
			resp = v
		} else if err := req.ReadFrom(frame[10+binary.BigEndian.Uint16(frame[8:]):]); err == nil {
			resp = answer(req)
		}
		if resp == nil {
			continue
		}
		resp.SetVersion(req.GetVersion())
		out := resp.AppendTo(append([]byte(nil), frame[4:8]...))
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(out))), out...)); err != nil {
			return
		}
	}
}

// TestTheCoordinatorLeaves while a commit is on its way to it: whoever follows it
// gets the commit.
func TestTheCoordinatorLeaves(t *testing.T) {
	asked, took := make(chan struct{}, 1), make(chan kmsg.Request, 1)
	coordinator := func(host string) kmsg.Response {
		r := kmsg.NewPtrFindCoordinatorResponse()
		r.Host, r.Port = host, 1
		return r
	}
	brokers := map[string]answers{
		"a:1": func(req kmsg.Request) kmsg.Response {
			if req.Key() == 10 {
				return coordinator("a")
			}
			asked <- struct{}{}
			return nil
		},
		"b:1": func(req kmsg.Request) kmsg.Response {
			if req.Key() == 10 {
				return coordinator("b")
			}
			took <- req
			return req.ResponseKind()
		},
	}
	links := link.NewSet(link.Config{Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go serve(theirs, brokers[addr])
		return ours, nil
	}})
	defer links.Close()
	left := make(chan struct{})
	store := Kafka(links, "g", func() []string {
		select {
		case <-left:
			return []string{"b:1"}
		default:
			return []string{"a:1", "b:1"}
		}
	}, env.Real())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		<-asked
		close(left)
		links.Keep(func(addr string) bool { return addr != "a:1" })
	}()
	if err := store.Commit(ctx, map[Partition]int64{{Topic: "t", Partition: 1}: 7}); err != nil {
		t.Fatal(err)
	}
	if r := (<-took).(*kmsg.OffsetCommitRequest); r.Group != "g" || r.Topics[0].Partitions[0].Offset != 7 {
		t.Errorf("committed %+v", r)
	}

	// When all is closed, nobody is waited for.
	links.Close()
	if err := store.Commit(ctx, map[Partition]int64{{Topic: "t"}: 8}); !errors.Is(err, link.ErrClosed) || !strings.Contains(err.Error(), errShut.Error()) {
		t.Errorf("error %v", err)
	}
}
