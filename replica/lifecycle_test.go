package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/epoch"
	"github.com/gregor-mq/gregor/wire"
)

func TestLeaderAndIsrCodes(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	f := func(id wire.UUID, change func(*wire.LeaderAndIsrRequestPartitionState), want wire.Code) {
		t.Helper()
		st := state("t", 0, s.epoch)
		change(&st)
		if codes := s.tell(id, st); codes[0] != want {
			t.Errorf("%v, want %v", codes[0], want)
		}
	}
	same := func(*wire.LeaderAndIsrRequestPartitionState) {}
	newer := func(st *wire.LeaderAndIsrRequestPartitionState) { s.epoch++; st.LeaderEpoch = s.epoch }
	f(topicID(1), same, wire.CodeStaleControllerEpoch) // trap 26
	f(topicID(1), func(st *wire.LeaderAndIsrRequestPartitionState) { st.LeaderEpoch-- }, wire.CodeStaleControllerEpoch)
	f(topicID(2), newer, wire.CodeInconsistentTopicID)
	f(wire.UUID{}, newer, wire.CodeNone)
	f(topicID(1), func(st *wire.LeaderAndIsrRequestPartitionState) { newer(st); st.Replicas = []int32{2} }, wire.CodeUnknownTopicOrPartition)
	f(topicID(1), func(st *wire.LeaderAndIsrRequestPartitionState) { newer(st); st.Leader = -1 }, wire.CodeNone)
	if r := s.append("t", 0, 1, 1); r.Err != wire.CodeNotLeaderOrFollower {
		t.Errorf("append without a leader: %v", r.Err)
	}

	req := wire.NewLeaderAndIsrRequest()
	req.ControllerEpoch, req.BrokerEpoch = 5, -1
	st := state("old", 0, 1)
	req.UngroupedPartitionStates = []wire.LeaderAndIsrRequestPartitionState{st}
	if resp := s.LeaderAndIsr(req); resp.ErrorCode != wire.CodeNone || len(resp.PartitionErrors) != 1 || resp.PartitionErrors[0].ErrorCode != wire.CodeNone {
		t.Errorf("versions 0 and 1: %+v", resp)
	}
	req.ControllerEpoch = 4
	if resp := s.LeaderAndIsr(req); resp.ErrorCode != wire.CodeStaleControllerEpoch {
		t.Errorf("old controller: %v", resp.ErrorCode)
	}
	s.SetBrokerEpoch(10)
	req.ControllerEpoch, req.BrokerEpoch = 5, 9
	if resp := s.LeaderAndIsr(req); resp.ErrorCode != wire.CodeStaleBrokerEpoch {
		t.Errorf("old broker epoch: %v", resp.ErrorCode)
	}
	if code, _ := s.StopReplica(4, -1, nil); code != wire.CodeStaleControllerEpoch || s.BrokerEpoch() != 10 {
		t.Errorf("StopReplica of an old controller: %v", code)
	}
	req.BrokerEpoch = 11
	req.UngroupedPartitionStates[0].LeaderEpoch = 2
	if resp := s.LeaderAndIsr(req); resp.ErrorCode != wire.CodeNone {
		t.Errorf("the controller knows of our registration first: %v", resp.ErrorCode)
	}
	want := []string{"leads t-0 since 1", "leads t-0 since 3", "resigned t-0 in 5 deleted=false", "leads old-0 since 1", "leads old-0 since 2"}
	if got := s.heard.take(); !slices.Equal(got, want) {
		t.Errorf("heard %q", got)
	}
}

// A topic id comes to a log that had none, and survives a restart; it is checked
// against the log that is found there before anything changes.
func TestTopicIDs(t *testing.T) {
	s := loaded(t)
	s.lead("t", wire.UUID{}, 0)
	if codes := s.tell(topicID(1), state("t", 0, s.epoch)); codes[0] != wire.CodeNone {
		t.Fatalf("upgrade: %v", codes)
	}
	if s.find(PartitionName{TopicID: topicID(1)}, true) == nil {
		t.Error("not found by its new id")
	}
	s = s.restart()
	s.epoch++
	if codes := s.tell(topicID(2), state("t", 0, s.epoch)); codes[0] != wire.CodeInconsistentTopicID {
		t.Errorf("another topic of this name: %v", codes)
	}
	if codes := s.tell(wire.UUID{}, state("t", 0, s.epoch)); codes[0] != wire.CodeNone {
		t.Errorf("an old controller: %v", codes)
	}
	if got := s.lookup("t", 0).topicID(); got != topicID(1) {
		t.Errorf("topic id %v", got)
	}
}

func TestStopReplica(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0, 1)
	s.append("t", 0, 1, 10)
	f := func(stop Stop, want wire.Code) {
		t.Helper()
		stop.Topic = "t"
		if code, codes := s.StopReplica(0, -1, []Stop{stop}); code != wire.CodeNone || codes[0] != want {
			t.Errorf("%v %v, want %v", code, codes, want)
		}
	}
	f(Stop{LeaderEpoch: s.epoch - 1, Delete: true}, wire.CodeFencedLeaderEpoch)
	f(Stop{LeaderEpoch: s.epoch}, wire.CodeNone)
	if r := s.append("t", 0, 1, 1); r.Err != wire.CodeNotLeaderOrFollower {
		t.Errorf("stopped: %v", r.Err)
	}
	f(Stop{Partition: 9, LeaderEpoch: noEpoch, Delete: true}, wire.CodeNone)
	f(Stop{LeaderEpoch: epochDuringDelete, Delete: true}, wire.CodeNone)
	if s.LogCount() != 1 {
		t.Errorf("%d logs", s.LogCount())
	}
	s.lead("t", topicID(1), 0) // at once, in a clean directory
	expect(t, "made anew", show(s.parkedNow(want("t", 0, 0))), "[t-0 hw=0 lso=0 start=0 []]")

	// After a restart, a directory that no LeaderAndIsr named goes all the same.
	s = s.restart()
	f(Stop{Partition: 1, LeaderEpoch: noEpoch}, wire.CodeNone)
	f(Stop{Partition: 1, LeaderEpoch: noEpoch, Delete: true}, wire.CodeNone)
	if s.LogCount() != 1 || s.unclaimedLog(partitionKey{"t", 1}) != nil {
		t.Errorf("%d logs", s.LogCount())
	}
}

// A partition that is deleted and made anew must not begin with the offsets of
// the former one, however the broker ends.
func TestCheckpointsForgetWhatIsDeleted(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	for range 5 {
		s.append("t", 0, 1, 10)
	}
	if _, err := s.DeleteRecords("t", 0, 4); err != nil {
		t.Fatal(err)
	}
	s.checkpointLogs()
	s.checkpointWatermarks()
	if start := s.checkpoint(s.dirs[0], storage.LogStarts); len(start) != 1 {
		t.Fatalf("log starts %v", start)
	}
	s.delete("t", 0)
	for _, name := range []storage.Checkpoint{storage.LogStarts, storage.RecoveryPoints, storage.HighWatermarks} {
		if left := s.checkpoint(s.dirs[0], name); len(left) != 0 {
			t.Errorf("%s still says %v", name, left)
		}
	}
	s.lead("t", topicID(2), 0)
	s.append("t", 0, 1, 10)
	fs := s.fs.CrashClone(memfs.Crash{})
	e := s.env
	e.FS = fs
	next := openStand(t, e, fs)
	next.load()
	if l := next.unclaimedLog(partitionKey{"t", 0}); l != nil && l.StartOffset() != 0 {
		t.Errorf("start %d", l.StartOffset())
	}
}

// files lists a directory's entries of partitions.
func (s *stand) files(dir string) string {
	s.t.Helper()
	entries, err := s.fs.ReadDir(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			name, _, deleted := strings.Cut(e.Name(), ".")
			if deleted {
				name += " deleted"
			}
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

func TestDeletionWaitsForItsDelay(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.Start(t.Context())
		s.topic.FileDeleteMs = 60_000
		s.lead("t", topicID(1), 0)
		s.topic.FileDeleteMs = 10_000
		s.lead("u", topicID(2), 0)
		s.lead("v", topicID(3), 0)
		s.delete("t", 0)
		s.delete("u", 0)
		expect(t, "renamed at once", s.files("/d1"), "t-0 deleted, u-0 deleted, v-0")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		expect(t, "the shorter delay first", s.files("/d1"), "t-0 deleted, v-0")
		s.delete("v", 0)
		s = s.restart()
		expect(t, "a stop leaves them", s.files("/d1"), "t-0 deleted, v-0 deleted")
		s.Start(t.Context())
		synctest.Wait()
		expect(t, "and the next start removes them", s.files("/d1"), "")
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPeriodicWork(t *testing.T) {
	after(t, func(t *testing.T) {
		s := newStand(t)
		s.topic.SegmentBytes, s.topic.RetentionMs, s.topic.FileDeleteMs, s.topic.FlushMs = 200, 30_000, 1000, 1000
		s.cfg.FlushInterval = time.Second
		s.renew()
		s.load()
		s.Start(t.Context())
		s.lead("t", topicID(1), 0)
		for range 4 {
			s.append("t", 0, 1, 100)
		}
		synctest.Wait()
		p := s.lookup("t", 0)
		if got := p.log().RecoveryPoint(); got < 3 {
			t.Errorf("rolled segments are not flushed: recovery point %d", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := p.log().RecoveryPoint(); got != 4 {
			t.Errorf("flush.ms: recovery point %d", got)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		tp := storage.TopicPartition{Topic: "t"}
		if got := s.checkpoint(s.dirs[0], storage.HighWatermarks)[tp]; got != 4 {
			t.Errorf("watermark checkpoint says %d", got)
		}
		w := s.parked(inSession(0, 0, want("t", 0, 4)))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if p.log().StartOffset() != 4 || p.log().SegmentCount() != 1 {
			t.Errorf("retention: start %d, %d segments", p.log().StartOffset(), p.log().SegmentCount())
		}
		show(w.resume())
		if got := s.checkpoint(s.dirs[0], storage.RecoveryPoints)[tp]; got != 4 {
			t.Errorf("recovery point checkpoint says %d", got)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A start that fails or is interrupted must not write checkpoints or marks over
// those of a directory that it has not read.
// A broker that is running has not stopped cleanly: what a crash leaves of it is
// recovered.
func TestTheCleanMarkGoesWithTheStart(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = openStand(t, s.env, s.fs)
	if !s.dirs[0].WasClean() {
		t.Error("no mark of a clean stop")
	}
	s.load()
	e, files := s.env, s.fs.CrashClone(memfs.Crash{})
	e.FS = files
	if openStand(t, e, files).dirs[0].WasClean() {
		t.Error("a crash counts as a clean stop")
	}
}

func TestInterruptedLoadLeavesTheCheckpoints(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	for range 5 {
		s.append("t", 0, 1, 10)
	}
	if _, err := s.DeleteRecords("t", 0, 3); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	s = openStand(t, s.env, s.fs)
	if err := s.Load(cancelled, 1); err == nil || err.Error() != "interrupted" {
		t.Fatalf("load: %v", err)
	}
	s.checkpointLogs()
	s.watermarkMoved(s.dirs[0])
	s.checkpointWatermarks()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.fs.MkdirAll("/d1/what is this", 0o755); err != nil {
		t.Fatal(err)
	}
	s = openStand(t, s.env, s.fs)
	if err := s.Load(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "what is this") {
		t.Fatalf("load: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.fs.RemoveAll("/d1/what is this"); err != nil {
		t.Fatal(err)
	}
	s = openStand(t, s.env, s.fs)
	s.load()
	l := s.unclaimedLog(partitionKey{"t", 0})
	if l.StartOffset() != 3 || l.HighWatermark() != 5 || l.EndOffset() != 5 {
		t.Errorf("start %d, watermark %d, end %d", l.StartOffset(), l.HighWatermark(), l.EndOffset())
	}
}

func TestLoadOverDirectories(t *testing.T) {
	s := newStand(t, "/d1", "/d2")
	s.cfg.Missing = []MissingDir{{Path: "/d3", Err: errors.New("broken")}}
	s.renew()
	s.load()
	old, fresh := state("t", 0, 1), state("t", 1, 1)
	old.IsNew = false
	if codes := s.tell(topicID(1), old, fresh); codes[0] != wire.CodeKafkaStorageError || codes[1] != wire.CodeNone {
		t.Errorf("with a missing directory: %v", codes) // trap 28
	}
	if desc := s.DescribeDirs(nil); len(desc) != 3 || desc[0].Err == nil || desc[0].Path != "/d3" {
		t.Errorf("described %+v", desc)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	// One partition in two directories is nobody's to decide.
	if err := s.fs.MkdirAll("/d1/t-1", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.fs.MkdirAll("/d2/t-1", 0o755); err != nil {
		t.Fatal(err)
	}
	s = openStand(t, s.env, s.fs, "/d1", "/d2")
	if err := s.Load(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "t-1 has two directories") {
		t.Errorf("load: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	// A disk that fails while it is read goes offline; two are too many.
	if err := s.fs.RemoveAll("/d2/t-1"); err != nil {
		t.Fatal(err)
	}
	for bad, works := range map[string]bool{"/d1": true, "/d": false} {
		s = openStand(t, s.env, s.fs, "/d1", "/d2")
		s.fs.SetInjector(func(op memfs.Op, name string) error {
			if op == memfs.OpList && strings.HasPrefix(name, bad) {
				return syscall.EIO
			}
			return nil
		})
		err := s.Load(t.Context(), 1)
		s.fs.SetInjector(nil)
		if (err == nil) != works {
			t.Errorf("%s fails: %v", bad, err)
		}
		if err := s.Stop(); err != nil {
			t.Errorf("stop after %s failed: %v", bad, err)
		}
	}
}

// Recovery with several threads finds what a crash left.
func TestLoadAfterACrash(t *testing.T) {
	s := loaded(t)
	var all []int32
	for i := range int32(20) {
		all = append(all, i)
	}
	s.lead("t", topicID(1), all...)
	for i := range all {
		for range i + 1 {
			s.append("t", int32(i), 1, 10)
		}
		if err := s.lookup("t", int32(i)).log().Flush(); err != nil {
			t.Fatal(err)
		}
	}
	e, fs := s.env, s.fs.CrashClone(memfs.Crash{})
	e.FS = fs
	next := openStand(t, e, fs)
	next.epoch = s.epoch
	if err := next.Load(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	next.lead("t", topicID(1), all...)
	for i := range all {
		if end := next.lookup("t", int32(i)).log().EndOffset(); end != int64(i+1) {
			t.Errorf("t-%d ends at %d", i, end)
		}
		if r := next.append("t", int32(i), 1, 1); r.BaseOffset != int64(i+1) {
			t.Errorf("t-%d goes on at %d", i, r.BaseOffset)
		}
	}
}

func TestLookups(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	for range 3 {
		s.append("t", 0, 2, 100)
	}
	at := func(timestamp int64, isolation Isolation, replica int32) string {
		found, err := s.ListOffset("t", 0, timestamp, isolation, replica, -1)
		if err != nil {
			return brief(err)
		}
		return fmt.Sprintf("%d in %d", found.Offset, found.LeaderEpoch)
	}
	expect(t, "latest", at(LatestTimestamp, ReadUncommitted, -1), "6 in 1")
	expect(t, "latest, committed", at(LatestTimestamp, ReadCommitted, -1), "6 in 1")
	expect(t, "latest, replica", at(LatestTimestamp, ReadUncommitted, 2), "6 in 1")
	expect(t, "earliest", at(EarliestTimestamp, ReadUncommitted, -1), "0 in 1")
	expect(t, "by time", at(1, ReadUncommitted, -1), "0 in 1")
	expect(t, "after all", at(time.Now().Add(time.Hour).UnixMilli(), ReadUncommitted, -1), "-1 in -1")
	expect(t, "tiered", at(LatestTieredTimestamp, ReadUncommitted, -1), "-1 in -1")
	if got := at(MaxTimestamp, ReadUncommitted, -1); !strings.HasSuffix(got, " in 1") || got[0] == '-' {
		t.Errorf("newest: %s", got)
	}
	if e, end, err := s.EpochEnd("t", 0, 1, -1); e != 1 || end != 6 || err != nil {
		t.Errorf("epoch %d ends at %d, %v", e, end, err)
	}
	if e, end, _ := s.EpochEnd("t", 0, 7, -1); e != epoch.None || end != epoch.Undefined {
		t.Errorf("unknown epoch %d ends at %d", e, end)
	}
	for limit, want := range map[int]string{5: "[6 0]", 1: "[6]"} {
		if got, err := s.OffsetsBefore("t", 0, LatestTimestamp, limit, -1); fmt.Sprint(got) != want || err != nil {
			t.Errorf("before, at most %d: %v %v", limit, got, err)
		}
	}
	if got, _ := s.OffsetsBefore("t", 0, EarliestTimestamp, 5, -1); fmt.Sprint(got) != "[0]" {
		t.Errorf("earliest: %v", got)
	}
	if got, _ := s.OffsetsBefore("t", 0, 1, 5, 2); len(got) != 0 {
		t.Errorf("before all: %v", got)
	}
	expect(t, "watermark in place of what is above", fmt.Sprint(capAt([]int64{9, 7, 5, 0}, 6, -1), capAt([]int64{9, 0}, 6, 2)), "[6 5 0] [9 0]")
	if got, err := s.Producers("t", 0); len(got) != 0 || err != nil {
		t.Errorf("producers %v %v", got, err)
	}
	if start, err := s.DeleteRecords("t", 0, -1); start != 6 || err != nil {
		t.Errorf("delete all: %d %v", start, err)
	}
	for _, offset := range []int64{-2, 7} {
		if _, err := s.DeleteRecords("t", 0, offset); err != wire.CodeOffsetOutOfRange {
			t.Errorf("delete to %d: %v", offset, err)
		}
	}
	s.topic.Delete, s.topic.Compact = false, true
	s.UpdateAll()
	if _, err := s.DeleteRecords("t", 0, -1); err != wire.CodePolicyViolation {
		t.Errorf("delete from a compacted topic: %v", err)
	}
	if _, err := s.Log("t", 0); err != nil {
		t.Error(err)
	}
	s.topic.Delete, s.topic.Compact = true, false
	s.UpdateAll()
	// A leader that does not know yet how far the former one had come.
	s.withReplicas(me, 2)
	var a answers
	s.send(&a, AcksLeader, AnyEpoch, 0)
	s.withReplicas(me, 2)
	expect(t, "watermark behind the epoch", at(LatestTimestamp, ReadUncommitted, -1), "OFFSET_NOT_AVAILABLE")
	expect(t, "for replicas it does not matter", at(LatestTimestamp, ReadUncommitted, 2), "7 in 3")
}

// Every lookup says why it does not answer.
func TestLookupsElsewhere(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 1)
	if code, _ := s.StopReplica(0, -1, []Stop{{Topic: "t", Partition: 1, LeaderEpoch: noEpoch}}); code != wire.CodeNone {
		t.Fatal(code)
	}
	s.publish("t", topicID(1), 0, 1)
	for index, want := range map[int32]wire.Code{0: wire.CodeNotLeaderOrFollower, 1: wire.CodeNotLeaderOrFollower, 2: wire.CodeUnknownTopicOrPartition} {
		_, err1 := s.ListOffset("t", index, LatestTimestamp, ReadUncommitted, -1, -1)
		_, _, err2 := s.EpochEnd("t", index, 1, -1)
		_, err3 := s.DeleteRecords("t", index, -1)
		_, err4 := s.Producers("t", index)
		_, err5 := s.OffsetsBefore("t", index, LatestTimestamp, 1, -1)
		_, err6 := s.Log("t", index)
		if index == 1 && err4 == nil {
			err4 = want // a follower knows of producers
		}
		for i, err := range []error{err1, err2, err3, err4, err5, err6} {
			if err != want {
				t.Errorf("t-%d, lookup %d: %v", index, i+1, err)
			}
		}
	}
}

func TestUpdateReachesAllLogs(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	s.lead("u", topicID(2), 0)
	s = s.restart()
	s.lead("t", topicID(1), 0) // u-0 stays unclaimed
	s.topic.SegmentBytes = 4321
	s.UpdateTopic("t")
	sizes := func() string {
		return fmt.Sprint(s.lookup("t", 0).log().Config().SegmentBytes, s.unclaimedLog(partitionKey{"u", 0}).Config().SegmentBytes)
	}
	expect(t, "one topic", sizes(), "4321 1073741824")
	s.UpdateAll()
	expect(t, "all", sizes(), "4321 4321")
	desc := s.DescribeDirs(func(topic string, _ int32) bool { return topic == "u" })
	if len(desc) != 1 || len(desc[0].Replicas) != 1 || desc[0].Replicas[0].Topic != "u" || desc[0].TotalBytes <= 0 {
		t.Errorf("described %+v", desc)
	}
}
