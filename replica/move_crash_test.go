package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/checkpoint"
)

// cutMove moves t-0 from /d1 to /d2 while records are appended to it; what counts
// as acknowledged is durable. From the given call on, all calls to the disk below
// dir fail: for dir / the process is dead. It returns what was acknowledged, and
// whether the end was reached without a failure.
func cutMove(t *testing.T, cut int, dir string) (s *stand, acked []string, whole bool) {
	s = movers(t, 2)
	s.topic.SegmentBytes = 400
	s.lead("t", topicID(1), 0, 1)
	say := func(index int32, text string) {
		r := s.say("t", index, text)
		if r.Err == nil && s.lookup("t", index).log().Flush() == nil && index == 0 {
			acked = append(acked, fmt.Sprintf("%d:%s", r.BaseOffset, text))
		}
	}
	s.append("t", 0, 3, 3)
	acked = append(acked, "2:v")
	for i := range 12 {
		say(0, fmt.Sprint("before", i))
	}
	say(1, "other")
	s.lead("t", topicID(1), 0, 1) // an epoch of its own
	say(0, "later")
	if _, err := s.DeleteRecords("t", 0, 2); err != nil { // inside of the first batch
		t.Fatal(err)
	}
	s.checkpointLogs()
	s.checkpointWatermarks()
	// A replica that lay there before has left its point.
	if err := s.dirs[1].WriteCheckpoint(storage.RecoveryPoints, []checkpoint.Offset{{Topic: "t", Partition: 0, Offset: 14}}); err != nil {
		t.Fatal(err)
	}

	calls := 0
	s.fs.SetInjector(func(op memfs.Op, name string) error {
		if op == memfs.OpRead || op == memfs.OpList || !strings.HasPrefix(name, dir) {
			return nil
		}
		if calls++; calls <= cut {
			return nil
		}
		return errors.New("gone")
	})
	err := s.to("/d2", "t", 0)
	for i := 0; i < 20 && s.step("/d2"); i++ {
		if i < 3 {
			say(0, fmt.Sprint("during", i))
		}
	}
	say(0, "after")
	if err == nil && calls <= cut {
		expect(t, "moved", s.where("t"), "/d2/t-0 lag 0, /d2/t-1 lag 0")
	}
	s.fs.SetInjector(nil)
	return s, acked, calls <= cut
}

// asItIs is the disk that a process leaves that was killed: all that it wrote.
func asItIs(t *testing.T, disk *memfs.FS) *memfs.FS {
	t.Helper()
	out := memfs.New(0, env.Real().Clock.Now)
	var visit func(string)
	visit = func(dir string) {
		if err := out.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		entries, err := disk.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			if e.IsDir() {
				visit(name)
				continue
			}
			raw, err := disk.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := out.Open(name, os.O_CREATE|os.O_RDWR, 0o644)
			if err == nil {
				_, err = f.WriteAt(raw, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	visit("/")
	return out
}

// check starts a broker over what is left of a disk: it must have one replica
// with all that was acknowledged, finish the move that was begun, and go on.
func (s *stand) check(disk *memfs.FS, acked []string) error {
	next := s.reopen(disk)
	if err := next.Load(s.t.Context(), 1); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	next.lead("t", topicID(1), 0, 1)
	if err := next.holds(acked, ""); err != nil {
		return err
	}
	next.move()
	if r := next.say("t", 0, "healed"); r.Err != nil {
		return r.Err
	}
	if err := next.holds(acked, "healed"); err != nil {
		return fmt.Errorf("when the move was over: %w", err)
	}
	if copies := next.where("t"); strings.Contains(copies, "future") {
		return fmt.Errorf("when the move was over: %s", copies)
	}
	if err := next.Stop(); err != nil {
		return err
	}
	last := next.reopen(disk)
	if err := last.Load(s.t.Context(), 1); err != nil {
		return fmt.Errorf("load again: %w", err)
	}
	last.lead("t", topicID(1), 0, 1)
	if err := last.holds(acked, "healed"); err != nil {
		return fmt.Errorf("after a clean restart: %w", err)
	}
	_, err := disk.Stat(last.lookup("t", 0).log().Path() + "/gregor.moved")
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the mark is left: %v", err)
	}
	return nil
}

// holds compares t-0 with what was acknowledged; one record more may be there,
// that was being appended, and the last one.
func (s *stand) holds(acked []string, last string) error {
	got := s.values("t", 0)
	if len(got) < len(acked) || !slices.Equal(got[:len(acked)], acked) {
		return fmt.Errorf("%s\nholds %q\n want %q", s.where("t"), got, acked)
	}
	if n := len(got) - len(acked); n > 3 || last != "" && !strings.HasSuffix(got[len(got)-1], last) {
		return fmt.Errorf("%s\nholds %q\n want %q and %q", s.where("t"), got, acked, last)
	}
	if other := s.values("t", 1); len(other) != 1 {
		return fmt.Errorf("the other partition holds %q", other)
	}
	homes := 0
	for _, d := range s.dirs {
		parts, err := d.Partitions()
		if err != nil {
			return err
		}
		for _, p := range parts {
			if p.Kind == storage.Current && p.Partition == 0 {
				homes++
			}
		}
	}
	if homes != 1 {
		return fmt.Errorf("%d directories of t-0: %s | %s", homes, s.names("/d1"), s.names("/d2"))
	}
	return nil
}

// A move is cut at every call to the disk, by kill -9 and by loss of power, and
// by a failure of either directory with the broker going on.
func TestAMoveCutAnywhereLosesNothing(t *testing.T) {
	for _, dir := range []string{"/", "/d1", "/d2"} {
		for cut := 0; ; cut++ {
			s, acked, whole := cutMove(t, cut, dir)
			disks := map[string]*memfs.FS{
				"kill":                         asItIs(t, s.fs),
				"power cut":                    s.fs.CrashClone(memfs.Crash{}),
				"power cut that spared a half": s.fs.CrashClone(memfs.Crash{Rand: rand.New(rand.NewPCG(1, uint64(cut))), KeepPercent: 50}),
			}
			for how, disk := range disks {
				if err := s.check(disk, acked); err != nil {
					t.Fatalf("%s at call %d below %s: %v", how, cut, dir, err)
				}
			}
			if whole {
				t.Logf("below %s: %d calls", dir, cut)
				break
			}
		}
	}
}
