package proc

import (
	"os"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
)

func TestThisProcess(t *testing.T) {
	files := env.Real().FS
	self, ok := Of(files, os.Getpid())
	if !ok {
		t.Skip("this system does not tell when a process began")
	}
	if again, ok := Decode(append([]byte("other=1\n"), self.Encode()...)); !ok || again != self || !again.Alive(files) {
		t.Errorf("%+v, was %+v", again, self)
	}
}

func TestLivesDiffer(t *testing.T) {
	files := memfs.New(0, time.Now)
	write := func(name, text string) {
		t.Helper()
		f, err := files.Open(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteAt([]byte(text), 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	none := func(why string) {
		t.Helper()
		if l, ok := Of(files, 7); ok {
			t.Errorf("%s: %+v", why, l)
		}
	}
	const boot, stat = "/proc/sys/kernel/random/boot_id", "/proc/7/stat"
	const after = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 900 20\n"
	for _, dir := range []string{"/proc/sys/kernel/random", "/proc/7"} {
		if err := files.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	none("no /proc")
	write(boot, "b1\n")
	none("no such process")
	write(stat, "7 (x) S 1 2")
	none("half a line")
	write(stat, "7 (x) Z"+after)
	none("a zombie")
	write(stat, "7 (a ) b (c)) S"+after)
	l, ok := Of(files, 7)
	if !ok || l != (Life{Boot: "b1", PID: 7, Started: "900"}) || !l.Alive(files) {
		t.Fatalf("%+v", l)
	}
	for _, other := range []Life{{"b0", 7, "900"}, {"b1", 8, "900"}, {"b1", 7, "899"}} {
		if other.Alive(files) {
			t.Errorf("%+v is taken for %+v", other, l)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, src := range []string{"", "boot=b\npid=x\nstarted=1\n", "pid=1\nstarted=1\n", "boot=b\npid=1\n", "boot=b\npid=-1\nstarted=1\n"} {
		if l, ok := Decode([]byte(src)); ok {
			t.Errorf("%q is %+v", src, l)
		}
	}
}
