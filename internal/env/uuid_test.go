package env_test

import (
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
)

// filled is a Rand whose bits are all the same.
type filled byte

func (f filled) Uint64() uint64 { return uint64(f) * 0x0101_0101_0101_0101 }

func (f filled) Read(p []byte) {
	for i := range p {
		p[i] = byte(f)
	}
}

func TestRandomUUIDIsOfVersion4(t *testing.T) {
	for _, bits := range []filled{0x00, 0xff} {
		id := env.RandomUUID(bits)
		for i, b := range id {
			want := byte(bits)
			switch i {
			case 6:
				want = want&0x0f | 0x40
			case 8:
				want = want&0x3f | 0x80
			}
			if b != want {
				t.Errorf("random bytes %#02x: byte %d is %#02x, want %#02x", byte(bits), i, b, want)
			}
		}
	}
	if a, b := env.RandomUUID(env.Real().Rand), env.RandomUUID(env.Real().Rand); a == b {
		t.Errorf("%x was drawn twice", a)
	}
}
