package peer

import (
	"bufio"
	"bytes"
	"reflect"
	"testing"
	"testing/iotest"
)

// FuzzWord reads what opens a connection: what is taken can be said again in the
// same bytes.
func FuzzWord(f *testing.F) {
	h := Hello{Version: 1, Ensemble: 2, Member: 3, To: 4, Boot: 5, Greeting: []byte("hello")}
	f.Add(appendWord(nil, wordHello, appendHello(nil, h)))
	f.Add(appendWord(nil, wordRefusal, []byte("no")))
	f.Add(appendWord(nil, wordReady, nil)[:wordHead-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		w, err := readWord(iotest.OneByteReader(r))
		if err != nil {
			if len(w.body) > len(b) {
				t.Fatalf("a body of %d bytes out of %d", len(w.body), len(b))
			}
			return
		}
		read := b[:len(b)-r.Len()]
		if w.version == formatVersion && !bytes.Equal(appendWord(nil, w.kind, w.body), read) {
			t.Fatalf("%x is another word than %x", read, appendWord(nil, w.kind, w.body))
		}
		if err := w.is(wordHello); (err == nil) != (w.version == formatVersion && w.kind == wordHello) {
			t.Fatalf("version %d kind %d: %v", w.version, w.kind, err)
		}
		h, err := decodeHello(w.body)
		if err != nil {
			return
		}
		if h.Member < 1 || h.Member > maxMember || !bytes.Equal(appendHello(nil, h), w.body) {
			t.Fatalf("%x is %+v", w.body, h)
		}
	})
}

// FuzzFrame reads messages: what is taken was sent so, and no more is held than
// has come.
func FuzzFrame(f *testing.F) {
	f.Add(append(frame('m', "one"), frame(0, "")...))
	f.Add(append(frame('m', "one"), 0, 0, 1, 0, 1, 2, 3, 4, 5, 6))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 20
		r := bytes.NewReader(b)
		in := bufio.NewReader(r)
		var again []byte
		for {
			kind, payload, err := readFrame(in, limit)
			if err != nil {
				if payload != nil {
					t.Fatalf("%d bytes beside %v", len(payload), err)
				}
				break
			}
			if cap(payload) > max(growth*len(b), firstGrowth) {
				t.Fatalf("%d bytes hold %d", cap(payload), len(b))
			}
			again = appendFrame(again, kind, payload, frameCRC(kind, payload))
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x was read as %x", b, again)
		}
	})
}

// TestBuffersGrowWithWhatArrives: a promise alone costs little.
func TestBuffersGrowWithWhatArrives(t *testing.T) {
	for _, came := range []int{0, 1, firstGrowth - 1, firstGrowth, firstGrowth + 1, 5 * firstGrowth, 1 << 20} {
		src := bytes.Repeat([]byte("x"), came)
		got, err := readGrowing(bytes.NewReader(src), 1<<20)
		if (err == nil) != (came == 1<<20) || !bytes.Equal(got, src) {
			t.Errorf("%d of %d bytes came: %d, %v", came, 1<<20, len(got), err)
		}
		if cap(got) > max(growth*came, firstGrowth) {
			t.Errorf("%d of %d bytes came, %d are held", came, 1<<20, cap(got))
		}
	}
}

func TestHelloRoundTrip(t *testing.T) {
	h := Hello{Version: 1, Ensemble: 1 << 63, Member: 254, To: 1, Boot: 1<<64 - 1, Greeting: make([]byte, maxGreeting)}
	w, err := readWord(bytes.NewReader(appendWord(nil, wordAnswer, appendHello(nil, h))))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeHello(w.body); err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("%+v, %v", got, err)
	}
}
