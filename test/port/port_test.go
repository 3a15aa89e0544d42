package port

import (
	"net"
	"testing"
)

func TestFreePortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 500 {
		p, err := Free()
		if err != nil {
			t.Fatal(err)
		}
		if seen[p] {
			t.Fatalf("port %d twice", p)
		}
		seen[p] = true
		if p < lowest || p >= highest {
			t.Fatalf("port %d is out of range", p)
		}
	}
}

func TestFreePortCanBeListenedOn(t *testing.T) {
	p, err := Free()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", Loopback(p))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
