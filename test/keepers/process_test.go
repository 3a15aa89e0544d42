package keepers

import (
	"flag"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/gregor-mq/gregor/test/virtual"
)

var roundsFlag = flag.Int("rounds", 0, "how often TestProcesses kills or stops real processes")

// processes are three keepers of the program itself, on loopback.
type processes struct {
	*world
	t     *testing.T
	lines string // of zoo.cfg, about all
	dirs  []string
	runs  []*gregor.Process
}

// TestProcesses does to real processes what needs no memory of their machines: they
// are killed and stand still.
func TestProcesses(t *testing.T) {
	if *roundsFlag == 0 {
		t.Skip("needs -rounds")
	}
	tr, err := virtual.NewTrace("")
	if err != nil {
		t.Fatal(err)
	}
	p := &processes{world: newWorld(uint64(time.Now().UnixNano()), tr), t: t}
	t.Logf("seed %d", p.seed)
	p.clock = env.Real().Clock
	p.setup.clients, p.setup.ops = 4, 10
	const voters = 3
	ports := gregor.FreePorts(t, 3*voters)
	for i := range voters {
		m := &member{machine: p.newMachine(fmt.Sprintf("keeper-%d", i+1)), number: uint64(i + 1)}
		m.listens = fmt.Sprintf("127.0.0.1:%d", ports[3*i])
		p.members = append(p.members, m)
		p.lines += fmt.Sprintf("server.%d=127.0.0.1:%d:%d\n", i+1, ports[3*i+1], ports[3*i+2])
		p.dirs, p.runs = append(p.dirs, t.TempDir()), append(p.runs, nil)
	}
	for i := range voters {
		p.start(i)
	}
	for i := range p.setup.clients {
		p.loads.Go(p.newClient(fmt.Sprintf("client-%d", i+1)).run)
	}
	for range *roundsFlag {
		p.sleep(p.rng.Between(500*time.Millisecond, 3*time.Second))
		p.round()
	}
	p.sleep(aftermath)
	close(p.done)
	p.loads.Wait()
	p.checkEqual()
	p.checkOperations()
	for _, l := range p.history.lives {
		p.checkRefusal(l)
	}
	t.Log(p.summary())
	if err := p.result(); err != nil {
		t.Error(err)
	}
}

// start runs a member.
func (p *processes) start(i int) {
	_, port, _ := strings.Cut(p.members[i].listens, ":")
	args := []string{"keeper"}
	for _, line := range append(strings.Fields(p.lines),
		"dataDir="+p.dirs[i], "clientPort="+port, "clientPortAddress=127.0.0.1", "tickTime=500", "initLimit=10", "syncLimit=5",
		fmt.Sprintf("myid=%d", i+1), "snapCount=100", "maxClientCnxns=0", "admin.enableServer=false") {
		args = append(args, "--override", line)
	}
	p.runs[i] = gregor.Run(p.t, p.dirs[i], args...)
}

// round lets something happen to one member, or two.
func (p *processes) round() {
	last := p.rng.Between(50*time.Millisecond, 4*time.Second)
	victims := p.rng.Perm(len(p.runs))[:1+p.rng.N(2)]
	kills := p.rng.Chance(60)
	p.t.Logf("%v: keepers %v for %v, killed: %v", p.at(p.clock.Now().Round(0)), victims, last, kills)
	for _, i := range victims {
		if kills {
			p.runs[i].Kill()
		} else if err := p.runs[i].Signal(syscall.SIGSTOP); err != nil {
			p.t.Fatal(err)
		}
	}
	p.sleep(last)
	for _, i := range victims {
		if err := p.runs[i].Trouble(); err != nil {
			p.t.Error(err)
		}
		if kills {
			p.start(i)
		} else if err := p.runs[i].Signal(syscall.SIGCONT); err != nil {
			p.t.Fatal(err)
		}
	}
}
