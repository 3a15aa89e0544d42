package index

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"sort"
	"testing"
)

// memFile is a File in memory.
type memFile struct{ b []byte }

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(f.b).ReadAt(p, off)
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if grow := int(off) + len(p) - len(f.b); grow > 0 {
		f.b = append(f.b, make([]byte, grow)...)
	}
	return copy(f.b[off:], p), nil
}

func TestBytes(t *testing.T) {
	write := func(kind Kind, entries ...Entry) string {
		x, f := New(kind, 1000), new(memFile)
		for _, e := range entries {
			x.Append(e)
		}
		if err := x.WriteTail(f); err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(f.b)
	}
	if got, want := write(ByOffset, Entry{1010, 4200}, Entry{1025, 8500}), "0000000a00001068"+"0000001900002134"; got != want {
		t.Errorf("offset index %s, want %s", got, want)
	}
	if got, want := write(ByTime, Entry{1_700_000_000_000, 1010}, Entry{1_700_000_000_001, 1025}),
		"0000018bcfe568000000000a"+"0000018bcfe5680100000019"; got != want {
		t.Errorf("time index %s, want %s", got, want)
	}
	a := Aborted{ProducerID: 5, FirstOffset: 10, LastOffset: 20, LastStable: 21}
	if got, want := hex.EncodeToString(AppendAborted(nil, a)),
		"0000"+"0000000000000005"+"000000000000000a"+"0000000000000014"+"0000000000000015"; got != want {
		t.Errorf("transaction index %s, want %s", got, want)
	}
}

func TestAppendRules(t *testing.T) {
	x := New(ByTime, 0)
	f := func(e Entry, want bool) {
		t.Helper()
		if got := x.Append(e); got != want {
			t.Errorf("append %v: %v", e, got)
		}
	}
	f(Entry{-1, 0}, false) // no timestamps
	f(Entry{5, 1}, true)
	f(Entry{5, 3}, false)
	f(Entry{4, 3}, false)
	f(Entry{6, 0}, false)
	f(Entry{6, 1}, true)
}

// TestSearchAgainstList compares every lookup with a plain list, for indexes of
// any split between disk and memory.
func TestSearchAgainstList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, kind := range []Kind{ByOffset, ByTime} {
		for _, n := range []int{0, 1, 2, 511, 512, 513, 1500, 3000} {
			x, f := New(kind, 100), new(memFile)
			var list []Entry
			e := Entry{100, 0}
			for i := range n {
				e.Key += 1 + rnd.Int64N(4)
				e.Value += 101 + rnd.Int64N(9)
				x.Append(e)
				list = append(list, e)
				if i == n*2/3 {
					if err := x.WriteTail(f); err != nil {
						t.Fatal(err)
					}
				}
			}
			compare(t, &x, f, list, e.Key+3, rnd)
			cut := list[:rnd.IntN(n+1)]
			if len(cut) < n {
				truncateTo(t, &x, f, list[len(cut)], cut)
			}
		}
	}
}

func compare(t *testing.T, x *Sparse, f *memFile, list []Entry, top int64, rnd *rand.Rand) {
	t.Helper()
	for range 500 {
		key := 95 + rnd.Int64N(top-95)
		i := sort.Search(len(list), func(i int) bool { return list[i].Key > key })
		got, ok, disk := x.FloorTail(key)
		if !ok {
			var err error
			if got, ok, err = disk.Floor(f, key); err != nil {
				t.Fatal(err)
			}
		}
		if ok != (i > 0) || ok && got != list[i-1] {
			t.Fatalf("%d entries: floor of %d is %v %v", len(list), key, got, ok)
		}
		value := rnd.Int64N(110 * int64(len(list)+1))
		i = sort.Search(len(list), func(i int) bool { return list[i].Value >= value })
		disk, got, ok = x.CeilValue(value)
		below, found, err := disk.CeilValue(f, value)
		if err != nil {
			t.Fatal(err)
		}
		if found {
			got, ok = below, true
		}
		if ok != (i < len(list)) || ok && got != list[i] {
			t.Fatalf("%d entries: ceiling of %d is %v %v", len(list), value, got, ok)
		}
	}
}

func truncateTo(t *testing.T, x *Sparse, f *memFile, first Entry, want []Entry) {
	t.Helper()
	offset := first.Key
	if x.kind == ByTime {
		offset = first.Value
	}
	if err := x.Truncate(f, offset); err != nil {
		t.Fatal(err)
	}
	if err := x.WriteTail(f); err != nil {
		t.Fatal(err)
	}
	again, err := Load(x.kind, x.base, f, x.Size())
	if err != nil || again.Len() != len(want) || x.Len() != len(want) {
		t.Fatalf("%d entries, %d on disk, want %d (%v)", x.Len(), again.Len(), len(want), err)
	}
	if last, ok := again.Last(); ok && last != want[len(want)-1] {
		t.Fatalf("last entry %v, want %v", last, want[len(want)-1])
	}
}

func TestLoad(t *testing.T) {
	x, f := New(ByOffset, 10), new(memFile)
	for i := range int64(700) {
		x.Append(Entry{11 + i, 100 * (i + 1)})
	}
	if err := x.WriteTail(f); err != nil {
		t.Fatal(err)
	}
	whole := slices.Clone(f.b)
	f.b = append(f.b, make([]byte, 8*5000)...) // as preallocation leaves it
	again, err := Load(ByOffset, 10, f, int64(len(f.b)))
	if err != nil || again.Len() != 700 {
		t.Fatalf("%d entries, %v", again.Len(), err)
	}
	if again.Append(Entry{711, 70100}) != true || again.Pending() != 1 {
		t.Error("cannot go on behind the last entry")
	}
	refused := func(how string, b []byte, size int) {
		t.Helper()
		if _, err := Load(ByOffset, 10, &memFile{b}, int64(size)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", how, err)
		}
	}
	refused("torn entry", whole[:99], 99)
	refused("file shorter than told", whole[:80], 160)
	bad := slices.Clone(whole)
	copy(bad[len(bad)-8:], []byte{0, 0, 0, 1, 0, 0, 0, 1})
	refused("last below first", bad, len(bad))
	copy(bad, []byte{0xff, 0, 0, 0})
	refused("first below base", bad[:8], 8)
}

func TestAbortedDamaged(t *testing.T) {
	in := []Aborted{{1, 5, 9, 10}, {2, 3, 12, 13}}
	var src []byte
	for _, a := range in {
		src = AppendAborted(src, a)
	}
	if out, err := DecodeAborted(src); err != nil || !reflect.DeepEqual(out, in) {
		t.Fatalf("%v, %v", out, err)
	}
	for i := range src {
		if out, err := DecodeAborted(src[:i]); (err == nil) != (i%AbortedSize == 0) {
			t.Errorf("cut at %d: %v, %v", i, out, err)
		}
	}
	for _, bad := range [][]Aborted{{in[1], in[0]}, {in[0], in[0]}, {{1, 9, 5, 6}}} {
		src := []byte{}
		for _, a := range bad {
			src = AppendAborted(src, a)
		}
		if _, err := DecodeAborted(src); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	src[0] = 1
	if _, err := DecodeAborted(src); !errors.Is(err, ErrCorrupt) {
		t.Errorf("version 256: %v", err)
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error)  { return 0, io.ErrClosedPipe }
func (failing) WriteAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestDiskErrorsAreNotCorruption(t *testing.T) {
	if _, err := Load(ByTime, 0, failing{}, 120); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, ErrCorrupt) {
		t.Errorf("load: %v", err)
	}
	x := New(ByOffset, 0)
	x.Append(Entry{5, 5})
	if err := x.WriteTail(failing{}); err == nil || x.Pending() != 1 {
		t.Errorf("write: %v, %d pending", err, x.Pending())
	}
	f := new(memFile)
	if err := x.WriteTail(f); err != nil || x.Pending() != 0 {
		t.Errorf("second try: %v", err)
	}
	_, _, disk := x.FloorTail(9)
	if _, _, err := disk.Floor(failing{}, 9); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("search: %v", err)
	}
}

func FuzzIndexes(f *testing.F) {
	f.Add([]byte{0, 0, 0, 10, 0, 0, 16, 104, 0, 0, 0, 25, 0, 0, 33, 52}, int64(12))
	f.Add(make([]byte, 96), int64(0))
	f.Add(AppendAborted(nil, Aborted{1, 2, 3, 4}), int64(3))
	f.Fuzz(func(t *testing.T, src []byte, key int64) {
		for _, kind := range []Kind{ByOffset, ByTime} {
			file := &memFile{src}
			x, err := Load(kind, 0, file, int64(len(src)))
			if err != nil {
				continue
			}
			_, _, disk := x.FloorTail(key)
			if e, ok, err := disk.Floor(file, key); err == nil && ok && disk.Len() == 1 && e.Key > key {
				t.Fatalf("floor of %d is %v", key, e)
			}
			if err := x.Truncate(file, key); err == nil && x.Len() > len(src) {
				t.Fatal(x.Len())
			}
		}
		if out, err := DecodeAborted(src); err == nil {
			var again []byte
			for _, a := range out {
				again = AppendAborted(again, a)
			}
			if !bytes.Equal(again, src) {
				t.Fatalf("%x became %x", src, again)
			}
		}
	})
}

func Example() {
	x := New(ByOffset, 0)
	x.Append(Entry{Key: 99, Value: 4100})
	e, ok, _ := x.FloorTail(150)
	fmt.Println(e.Value, ok)
	// Output: 4100 true
}
